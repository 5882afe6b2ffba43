"""Open a product, whatever its container, as a lazy tree in EOPF structure."""

from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError, NotFoundError


def open_product(path: Path | str, *, level: int = 0) -> xr.DataTree:
    """Open a product lazily.

    Parameters
    ----------
    path
        A SAFE folder or a zip archive of one (or a folder that holds one), of any type that the
        files in ``sensors/`` describe, a GeoZarr written by `write_geozarr`, or an EOPF Zarr.
    level
        Overview level of a GeoZarr: 0 is full resolution, each further one has half of it; where
        a group has fewer levels its coarsest. Only 0 for other containers.

    Returns
    -------
    xarray.DataTree
        Every resolution present, such as ``/measurements/reflectance/r10m``; variables ``(y, x)``
        are read window by window when computed, reflectances float32 with NaN where there is no
        measurement. Root attributes: ``stac_discovery`` (a STAC item) and ``other_metadata``,
        whose ``missing`` lists what a complete product has and this one lacks.

    Raises
    ------
    NotFoundError
        If nothing is at `path`.
    InvalidInputError
        If what is there is no product, is damaged, or is an archive that is not safe to read.
    """
    place = Path(path)
    if not place.exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    if place.is_file() and place.suffix.lower() != ".zip":
        raise _unknown(place)
    if place.is_dir() and any((place / name).is_file() for name in ("zarr.json", ".zgroup")):
        from skerry.products.zarr_opening import open_zarr_product

        return open_zarr_product(place, level=level)
    return _open_files(place)


def _open_files(place: Path) -> xr.DataTree:
    from skerry.products.safe.engine import assemble
    from skerry.products.safe.recognition import find_product

    found = find_product(place)
    if found is None:
        raise _unknown(place)
    return assemble(*found)


def _unknown(place: Path) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is no product that Skerry knows.",
        remedy="Give a Sentinel product (SAFE, folder or zip), a GeoZarr or an EOPF Zarr.",
    )
