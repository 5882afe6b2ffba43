import numpy as np
import xarray as xr

from skerry.processors import mask_classes, mask_clear, mask_water

SCL = xr.DataArray(np.arange(12, dtype=np.uint8), dims="x")


def test_water_is_class_six() -> None:
    assert np.flatnonzero(mask_water(SCL)).tolist() == [6]


def test_clear_leaves_out_what_hides_the_surface() -> None:
    assert np.flatnonzero(mask_clear(SCL)).tolist() == [2, 4, 5, 6, 7]


def test_classes_of_ones_own_choice() -> None:
    mask = mask_classes(SCL, {8, 9})
    assert np.flatnonzero(mask).tolist() == [8, 9]
    assert mask.attrs["long_name"].startswith("mask of scene classes")
