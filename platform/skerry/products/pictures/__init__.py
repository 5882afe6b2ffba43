"""Pictures of products, their drawable variables, and their outlines."""
