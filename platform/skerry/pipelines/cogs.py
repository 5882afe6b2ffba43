"""COGs of a product's bands, each at its native resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.client.descriptions import COG_FOLDER, title_product
from skerry.client.references import COG_PREFIX
from skerry.core.errors import NotFoundError
from skerry.products.grids import describe_grid, north_up

if TYPE_CHECKING:
    import xarray as xr


def list_rasters(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """Return each variable of a product once, by name.

    Only variables with dims ``(y, x)`` count. Of several with one name a measurement goes before
    others, then the finest goes before coarser ones.
    """
    best: dict[str, tuple[bool, float]] = {}
    rasters: dict[str, xr.DataArray] = {}
    for node in tree.subtree:
        for name, array in node.dataset.data_vars.items():
            if array.dims != ("y", "x") or min(array.shape) < 2:  # noqa: PLR2004
                continue
            rank = (
                not node.path.startswith("/measurements"),
                _step(array),
            )
            if str(name) not in best or rank < best[str(name)]:
                best[str(name)] = rank
                rasters[str(name)] = array
    return rasters


def list_bands(tree: xr.DataTree, groups: Sequence[str] = ()) -> dict[str, xr.DataArray]:
    """Return the rasters that get a COG: those of some groups, else all rasters."""
    paths = {f"/{group.strip('/')}" for group in groups}
    datasets = {node.path: node.dataset for node in tree.subtree if node.path in paths}
    return list_rasters(type(tree).from_dict(datasets) if datasets else tree)


def write_cogs(
    tree: xr.DataTree,
    folder: Path,
    *,
    groups: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Write ``cogs/<variable>.tif`` for every variable of some groups of a product.

    Returns
    -------
    dict
        Asset name to its STAC fields: projection, and ``raster:bands`` with scale, offset and
        nodata as the file has them.
    """
    rasters = list_bands(tree, groups)
    (folder / COG_FOLDER).mkdir(parents=True, exist_ok=True)
    described = {}
    for done, (name, array) in enumerate(rasters.items(), start=1):
        place = folder / COG_FOLDER / f"{name}.tif"
        described[COG_PREFIX + name] = write_raster(array, place, title=title_of(tree))
        if progress is not None:
            progress(done / len(rasters))
    return described


def title_of(tree: xr.DataTree) -> str:
    """Return a product's title, which says so when it is simulated."""
    simulated = tree.attrs.get("other_metadata", {}).get("simulated", False)
    return title_product(str(tree.attrs.get("title", tree.name or "")), simulated=simulated)


def write_raster(array: xr.DataArray, path: Path, *, title: str) -> dict[str, Any]:
    """Write one variable as a COG in its own packing and return its STAC fields.

    Parameters
    ----------
    array
        Decoded values, dims ``(y, x)``; its encoding says how they are packed.
    path
        The file to write; it is either complete or absent.
    title
        The product's, for the file's own description.
    """
    from skerry.products.cogs.cog import describe_band, write_cog

    write_cog(array, path, description=title)
    place = describe_grid(north_up(array.to_dataset(name="raster")))
    band = {**describe_band(path, array), "spatial_resolution": place["proj:transform"][0]}
    return {**place, "raster:bands": [band]}


def find_raster(tree: xr.DataTree, variable: str | None, *, item: str) -> xr.DataArray:
    """Return one variable at its finest resolution; the only one when `variable` is None.

    Raises
    ------
    NotFoundError
        If there is no such variable, or several and none was named.
    """
    rasters = list_rasters(tree)
    if variable is None and len(rasters) == 1:
        return next(iter(rasters.values()))
    if variable is None or variable not in rasters:
        reason = "no variable was named" if variable is None else f"no variable {variable!r}"
        raise NotFoundError(
            f"{item} has {', '.join(sorted(rasters)) or 'no raster'}; {reason}.",
            remedy="Name one of them with --variable.",
        )
    return rasters[variable]


def _step(array: xr.DataArray) -> float:
    x = array["x"].values
    return abs(float(x[1] - x[0]))
