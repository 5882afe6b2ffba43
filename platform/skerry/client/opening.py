"""`skerry.open`: a product as a lazy tree, from the catalogue or from a path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.client.grants import grant_reading
from skerry.client.inputs import record_input
from skerry.client.references import (
    PRODUCT_ASSET,
    ItemReference,
    fetch_item,
    parse_reference,
    read_key,
)
from skerry.client.session import Session, connect
from skerry.storage.remote import RemotePath, is_remote

if TYPE_CHECKING:
    import pystac
    import xarray as xr


def open(  # noqa: A001 - the name that notebooks use: skerry.open
    reference: str | Path | pystac.Item | dict[str, Any],
    *,
    product_type: str | None = None,
    session: Session | None = None,
) -> xr.DataTree:
    """Open a product.

    Parameters
    ----------
    reference
        ``"collection/item"``, an item from `skerry.search`, a STAC item as a dict, the path of a
        product on this machine (SAFE, EOPF Zarr, GeoZarr, NetCDF, a folder of COGs, or a zip
        archive of one), or its ``http(s)://`` or ``s3://`` address, which needs no platform.
    product_type
        The product's EOPF type, such as ``S02MSIL2A``, if the product does not say it itself.
    session
        The session to use; by default this process's own.

    Returns
    -------
    xarray.DataTree
        The product in EOPF structure, lazy (Dask arrays, dims ``(y, x)``): for Sentinel-2 L2A
        ``/measurements/reflectance/r10m``, ``r20m``, ``r60m`` with ``b01`` ... in reflectance
        (1, nodata NaN) and ``/conditions/mask/l2a_classification/r20m`` with ``scl``; for
        a product of gridded variables the root holds them: ``tree.to_dataset()``.
        ``tree.attrs["stac_discovery"]`` describes it.

    Raises
    ------
    NotFoundError
        If the item, path or address does not exist.
    UnavailableError
        If the platform or a server does not answer, or this machine cannot reach the platform's
        files.
    """
    from skerry.products.opening import open_product

    if isinstance(reference, str) and is_remote(reference):
        return open_product(reference, product_type=product_type)
    source = parse_source(reference)
    if isinstance(source, Path):
        return open_product(source, product_type=product_type)
    path = locate_product(source, session=session)
    return open_product(path, product_type=product_type)


def parse_source(reference: object) -> ItemReference | Path:
    """Read text that is an item's name or a path on this machine.

    A `Path` and a string that begins with ``/``, ``.`` or ``~`` are paths; so is a string that
    is not a ``collection/item`` but exists.
    """
    if isinstance(reference, Path):
        return reference.expanduser()
    if isinstance(reference, str):
        if reference.startswith(("/", ".", "~")):
            return Path(reference).expanduser()
        if reference.count("/") != 1 and Path(reference).exists():
            return Path(reference)
    return parse_reference(reference)


def locate_product(
    reference: ItemReference, *, session: Session | None = None
) -> Path | RemotePath:
    """Return the place of an item's product under a read grant, and note it as an input."""
    session = session or connect()
    item = fetch_item(session, reference)
    path = grant_reading(session, reference).locate(read_key(item, PRODUCT_ASSET))
    record_input(session, item)
    return path
