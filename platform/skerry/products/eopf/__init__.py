"""EOPF Zarr, versions 2 and 3, in either of the two profiles of existing products."""
