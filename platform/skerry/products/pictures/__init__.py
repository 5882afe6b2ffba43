"""Pictures of products, what of them can be drawn, and their outlines."""
