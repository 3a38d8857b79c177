"""The Data page: what a network can learn from here."""
