"""GeoZarr: multiscale groups of Zarr 3 with grids and reference systems by convention."""
