"""EOPF Zarr, versions 2 and 3, in either of the two profiles that products in the world have."""
