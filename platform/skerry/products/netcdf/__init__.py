"""Products as NetCDF-4 files: groups as the tree has them, CF-1.11."""
