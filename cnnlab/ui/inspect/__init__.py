"""The Inspect page: what a network learned."""
