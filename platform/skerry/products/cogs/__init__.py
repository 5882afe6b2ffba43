"""Cloud-optimised GeoTIFFs: a file for a variable, or a folder of files for a product."""
