"""Layers of other resolutions come to the right pixels, and what does not fit is refused."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.grids import fit_to_grid


def _raster(
    resolution: float, shape: tuple[int, int], west: float = 0.0, chunks: int | None = None
) -> xr.DataArray:
    """A raster whose values number its pixels, row by row."""
    numbers = np.arange(shape[0] * shape[1]).reshape(shape)
    coords = {
        "y": 6_000_000 - resolution * (np.arange(shape[0]) + 0.5),
        "x": west + resolution * (np.arange(shape[1]) + 0.5),
    }
    data = numbers if chunks is None else da.from_array(numbers, chunks=chunks)
    return xr.DataArray(data, dims=("y", "x"), coords=coords, name="layer")


def _fit(values: xr.DataArray, like: xr.DataArray | xr.Dataset) -> xr.DataArray:
    return fit_to_grid(values, like, names=("The layer", "the image"), remedy="Give another.")


@pytest.mark.parametrize("chunks", [None, 2])
@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_each_coarse_pixel_covers_its_fine_ones(factor: int, chunks: int | None) -> None:
    coarse = _raster(60, (4, 5), chunks=chunks)
    fine = _raster(60 / factor, (4 * factor, 5 * factor), chunks=chunks and 7)
    actual = _fit(coarse, fine)
    assert not actual.coords
    assert (actual.chunks is not None) == bool(chunks)
    if chunks and factor > 1:
        assert actual.chunks == fine.chunks
    expected = coarse.values.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(actual, expected)


def test_a_fine_layer_gives_the_pixel_in_the_middle() -> None:
    result = _fit(_raster(20, (12, 12)), _raster(60, (4, 4)))
    np.testing.assert_array_equal(result, _raster(20, (12, 12)).values[1::3, 1::3])


def test_one_coarse_pixel_covers_what_lies_in_it() -> None:
    result = _fit(_raster(60, (1, 1)), _raster(10, (6, 6)))
    assert result.shape == (6, 6)
    with pytest.raises(InvalidInputError, match="do not fit"):
        _fit(_raster(60, (1, 1)), _raster(10, (6, 6), west=60))


def test_a_chunk_reads_only_what_it_covers() -> None:
    read: list[tuple[int, int]] = []

    def load(block_info: dict | None = None) -> np.ndarray:
        read.append(block_info[None]["chunk-location"])
        return np.ones((4, 4), np.uint8)

    layer = da.map_blocks(
        load, chunks=((4,) * 4, (4,) * 4), dtype="u1", meta=np.empty((0, 0), "u1")
    )
    coarse = _raster(60, (16, 16)).copy(data=layer)
    fine = _raster(20, (48, 48), chunks=12)
    part = _fit(coarse, fine).isel(y=slice(12, 24), x=slice(24, 36))
    part.compute(scheduler="synchronous")
    assert set(read) == {(1, 2)}


@pytest.mark.parametrize("west", [200.0, -200.0, 40.0, -1e6])
def test_a_layer_that_does_not_cover_the_image_is_refused(west: float) -> None:
    """Not even where it has as many pixels: the nearest one would be that of the edge."""
    for resolution, size in ((60, 3), (20, 9)):
        with pytest.raises(
            InvalidInputError, match=r"The layer \{'y'.*, x .* do not fit the image \{'y'.*, x 10 "
        ):
            _fit(_raster(resolution, (size, size), west=west), _raster(20, (9, 9)))


def test_swaths_fit_by_their_sizes() -> None:
    image = xr.DataArray(np.zeros((3, 4)), dims=("rows", "columns"))
    flags = image.assign_coords(latitude=image)
    assert not _fit(flags, image).coords
    with pytest.raises(InvalidInputError, match=r"'rows': 2.*'rows': 3"):
        _fit(flags.isel(rows=slice(2)), image)


def test_no_pixels_fit_anything() -> None:
    empty = _raster(20, (6, 6)).isel(y=slice(0), x=slice(0))
    assert _fit(_raster(60, (2, 2)), empty).shape == (0, 0)
