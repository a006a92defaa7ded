"""Training of the built-in model: people and their joints in one inference."""
