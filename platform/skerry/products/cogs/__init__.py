"""Cloud-optimised GeoTIFFs: one of a variable, or a folder of them that is a product."""
