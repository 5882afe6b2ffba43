"""Science: xarray in, xarray out. No files, no network.

Every processor is a plain function with its paper in the docstring and its coefficients as named
constants; it works on NumPy-backed and on lazy Dask-backed arrays alike.
"""

from skerry.processors.chlorophyll import ndci
from skerry.processors.masks import mask_classes, mask_clear, mask_water
from skerry.processors.turbidity import turbidity_dogliotti2015

__all__ = ["mask_classes", "mask_clear", "mask_water", "ndci", "turbidity_dogliotti2015"]
