"""The catalogue: collections, items with their versions, search, and the bytes they answer for."""
