"""Maps: a product's pixels as XYZ tiles. Window, warp, colour, encode."""
