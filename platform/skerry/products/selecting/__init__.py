"""Parts of products: by group, variable, resolution, area, time, range and flags."""
