"""The canonical form of a product, whatever its format: damage healed, what is missing listed."""
