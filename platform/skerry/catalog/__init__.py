"""The catalogue: collections, items with their versions, search, and the items' files."""
