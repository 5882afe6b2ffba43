"""The engine: a sensor mapping and a product's files become an EOPF tree, lazily."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from dask.base import tokenize
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.core.errors import InvalidInputError
from skerry.products.packing import decode_numbers
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.jp2 import READ_PIXELS, Jp2Header, RasterWindows, check_jp2
from skerry.products.safe.sentinel_2 import BANDS, SafeMetadata, read_metadata
from skerry.products.safe.sentinel_2_mapping import Group, Kind, SensorMapping


def assemble(files: ProductFiles, mapping: SensorMapping) -> xr.DataTree:
    """Build the tree of everything that `mapping` names and `files` has.

    Parameters
    ----------
    files
        The product's files.
    mapping
        The sensor's mapping.

    Returns
    -------
    xarray.DataTree
        Groups as the mapping names them; each raster variable ``(y, x)`` lazily read. The root's
        ``other_metadata["missing"]`` lists what a complete product has and this one lacks.

    Raises
    ------
    InvalidInputError
        If a metadata document is missing or broken, or a raster is damaged or of another size
        than the metadata say.
    """
    documents = {role: files.find(pattern) for role, pattern in mapping.metadata.items()}
    for role, name in documents.items():
        if name is None:
            raise InvalidInputError(
                f"{files.path} has no {mapping.metadata[role]}.",
                remedy=f"Give a complete {mapping.title} product, folder or zip archive.",
            )
    metadata = read_metadata(files, str(documents["product"]), str(documents["tile"]))
    missing = [
        f"{title} ({pattern})"
        for title, pattern in mapping.expected.items()
        if files.find(pattern) is None
    ]
    datasets: dict[str, xr.Dataset] = {}
    for group in mapping.groups:
        dataset = _assemble_group(files, group, mapping.kinds[group.kind], metadata, missing)
        if dataset.data_vars:
            known = datasets.get(group.path)
            datasets[group.path] = dataset if known is None else known.assign(dataset.data_vars)
    if not datasets:
        raise InvalidInputError(
            f"{files.path} has metadata but not one raster of a {mapping.title} product.",
            remedy="Give the whole product.",
        )
    datasets["conditions/geometry"] = _assemble_geometry(metadata)
    title = f"{mapping.title} {metadata.product_id}"
    root = xr.Dataset(
        attrs={
            "title": f"SIMULATED {title}" if metadata.simulated else title,
            "stac_discovery": metadata.describe(),
            "other_metadata": {
                "mapping": mapping.name,
                "missing": missing,
                "simulated": metadata.simulated,
            },
        }
    )
    return xr.DataTree.from_dict({"/": root, **datasets}, name=metadata.product_id)


def _assemble_group(
    files: ProductFiles, group: Group, kind: Kind, metadata: SafeMetadata, missing: list[str]
) -> xr.Dataset:
    variables = {}
    for name, source in group.variables.items():
        found = files.find(group.file.format(source=source))
        if found is None:
            missing.append(f"{group.path}/{name}")
            continue
        header = check_jp2(files, found)
        grid = metadata.grids.get(group.resolution_m)
        expected = None if grid is None else (kind.bands, grid.height, grid.width)
        _check_shape(f"{found} in {files.path}", header, expected)
        array = _read_lazily(files, found, header, kind)
        variables[name] = _describe_variable(array, kind, source, metadata)
    if not variables:
        return xr.Dataset()
    return xr.Dataset(variables, coords=xr_coords(_geobox(group, metadata), "spatial_ref"))


def _geobox(group: Group, metadata: SafeMetadata) -> GeoBox:
    grid = metadata.grids[group.resolution_m]
    step = float(group.resolution_m)
    return GeoBox(
        (grid.height, grid.width), Affine(step, 0.0, grid.left_m, 0.0, -step, grid.top_m),
        metadata.crs,
    )  # fmt: skip


def _check_shape(label: str, header: Jp2Header, expected: tuple[int, int, int] | None) -> None:
    actual = (header.bands, header.height, header.width)
    if actual != expected:
        raise InvalidInputError(
            f"{label} has (bands, rows, columns) {actual}; the product's metadata say {expected}.",
            remedy="Fetch the product again from its provider.",
        )


def _read_lazily(files: ProductFiles, name: str, header: Jp2Header, kind: Kind) -> da.Array:
    plane = (header.height, header.width)
    shape = plane if len(kind.dims) == 2 else (kind.bands, *plane)  # noqa: PLR2004 -- y, x
    dtype = np.dtype(kind.dtype)
    windows = RasterWindows(
        path=files.raster_path(name),
        label=f"{name} in {files.path}",
        shape=shape,
        dtype=dtype,
        bands=kind.bands,
        pack_bits=kind.pack_bits,
    )
    chunks = (
        *shape[:-2],
        _window_edge(header.tile_height, header.height),
        _window_edge(header.tile_width, header.width),
    )
    changed = files.path.stat() if files.archived else (files.path / name).stat()
    token = tokenize(windows, files.sizes[name], changed.st_mtime_ns)
    return da.from_array(  # type: ignore[no-untyped-call,no-any-return]
        windows,
        chunks=chunks,
        name=f"jp2-{token}",
        asarray=False,
        lock=False,
        meta=np.empty((0,) * len(shape), dtype),
    )


def _window_edge(tile: int, length: int) -> int:
    return min(length, tile * max(1, round(READ_PIXELS / tile)))


def _describe_variable(
    numbers: da.Array, kind: Kind, source: str, metadata: SafeMetadata
) -> xr.DataArray:
    attrs: dict[str, Any] = {
        "long_name": kind.long_name.format(source=source),
        "units": kind.units,
    }
    for key in ("standard_name", "valid_min", "valid_max", "colormap"):
        if getattr(kind, key) is not None:
            attrs[key] = getattr(kind, key)
    if kind.flags:
        attrs["flag_values"] = [int(one) for one in kind.flags]
        attrs["flag_meanings"] = " ".join(meaning for meaning, _ in kind.flags.values())
        attrs["flag_colors"] = " ".join(colour for _, colour in kind.flags.values())
    if kind.flag_bits:
        attrs["flag_masks"] = [1 << bit for bit in range(len(kind.flag_bits))]
        attrs["flag_meanings"] = " ".join(kind.flag_bits)
    if kind.quantification is None:
        variable = xr.DataArray(numbers, dims=kind.dims, attrs=attrs)
        variable.encoding = {"grid_mapping": "spatial_ref"}
        return variable
    return _decode(numbers, kind, source, metadata, attrs)


def _decode(
    numbers: da.Array, kind: Kind, source: str, metadata: SafeMetadata, attrs: dict[str, Any]
) -> xr.DataArray:
    if kind.quantification not in metadata.quantification:
        raise InvalidInputError(
            f"The metadata of {metadata.product_id} lack {kind.quantification}.",
            remedy="Fetch the product again from its provider.",
        )
    divisor = metadata.quantification[kind.quantification]
    scale = 1.0 / divisor
    offset = metadata.offsets[source] / divisor if kind.offset else 0.0
    missing = tuple(one for one in (kind.nodata, kind.saturated) if one is not None)
    values = da.map_blocks(  # type: ignore[no-untyped-call]
        decode_numbers,
        numbers,
        scale=scale,
        offset=offset,
        missing=missing,
        dtype=np.float32,
        meta=np.empty((0,) * numbers.ndim, np.float32),
    )
    variable = xr.DataArray(values, dims=kind.dims, attrs=attrs)
    variable.encoding = {
        "dtype": kind.dtype,
        "scale_factor": scale,
        "add_offset": offset,
        "_FillValue": 0 if kind.nodata is None else kind.nodata,
        "grid_mapping": "spatial_ref",
    }
    return variable


def _assemble_geometry(metadata: SafeMetadata) -> xr.Dataset:
    """Build ``conditions/geometry``: angles at the nodes of the metadata's 5 km grid."""
    angles = metadata.angles
    grid = next(iter(metadata.grids.values()))
    rows, columns = angles.sun.shape[-2:]
    degrees = {"units": "degree"}
    return xr.Dataset(
        {
            "sun_angles": (("angle", "y", "x"), angles.sun, degrees),
            "viewing_incidence_angles": (
                ("band", "detector", "angle", "y", "x"), angles.view, degrees,
            ),
            "mean_sun_angles": (("angle",), angles.mean_sun, degrees),
            "mean_viewing_incidence_angles": (("band", "angle"), angles.mean_view, degrees),
        },
        coords={
            "detector": np.array(angles.detectors, np.int64),
            "y": grid.top_m - angles.step_m * np.arange(rows),
            "x": grid.left_m + angles.step_m * np.arange(columns),
        },
        attrs={"angle": ["zenith", "azimuth"], "band": [band.lower() for band in BANDS]},
    )  # fmt: skip
