"""The Train page: a recipe, the network that it makes, and what it will cost."""
