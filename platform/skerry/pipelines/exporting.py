"""Exporting: an item's variable as a GeoTIFF for QGIS."""

from __future__ import annotations

from pathlib import Path

from skerry.client.opening import locate_product
from skerry.client.references import parse_reference
from skerry.client.session import Session
from skerry.core.errors import InvalidInputError
from skerry.pipelines.cogs import find_raster, title_of, write_raster


def export_item(
    reference: str, out: Path, *, variable: str | None = None, session: Session | None = None
) -> Path:
    """Write an item's variable as a Cloud-Optimized GeoTIFF.

    Parameters
    ----------
    reference
        ``"collection/item"``.
    out
        The file to write; it is either complete or absent.
    variable
        Which one, at its finest resolution; may be left out when there is only one.

    Raises
    ------
    NotFoundError
        If there is no such item or variable.
    InvalidInputError
        If `out` is a folder, or is in a folder that does not exist.
    """
    from skerry.products.zarr_opening import open_zarr_product

    if out.is_dir():
        raise InvalidInputError(f"{str(out)!r} is a folder.", remedy="Name the file to write.")
    if not out.absolute().parent.is_dir():
        raise InvalidInputError(
            f"The folder of {str(out)!r} does not exist.", remedy="Make it, or name another file."
        )
    # what the catalogue holds is Zarr: no other reader is handed what somebody registered
    tree = open_zarr_product(locate_product(parse_reference(reference), session=session))
    raster = find_raster(tree, variable, item=reference)
    write_raster(raster, out, title=title_of(tree))
    return out
