"""Importing: a product from outside becomes an item.

The conversion runs in the caller's process under a write grant; the catalogue learns of it in
one conditional call at the end. Whatever fails before that leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.client.collections import ensure_collection
from skerry.client.descriptions import (
    MAP_ASSET,
    MAP_FOLDER,
    PRODUCT_FOLDER,
    THUMBNAIL,
    describe_item,
    title_product,
)
from skerry.client.grants import grant_writing
from skerry.client.references import COG_PREFIX, ItemReference, fetch_item
from skerry.client.registration import register_folder
from skerry.client.session import Session, connect
from skerry.client.versions import fetch_versions
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError, WithdrawnError
from skerry.core.ids import check_name
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress, ignore_progress
from skerry.core.time import format_time, parse_time
from skerry.models.grants import Purpose
from skerry.models.versions import VersionStatus
from skerry.pipelines.cogs import write_cogs
from skerry.pipelines.sources import digest_source, locate_source
from skerry.products.grids import describe_grid
from skerry.products.sensors.mapping import list_types, load_mapping, recognise_type
from skerry.products.sensors.records import Catalogue
from skerry.products.sensors.records import Mapping as ProductMapping

if TYPE_CHECKING:
    import xarray as xr

_SIMULATED_LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class ImportResult:
    """The result of an import.

    Attributes
    ----------
    item
        The STAC item as the catalogue has it.
    created
        False when the catalogue already had the same product.
    missing
        Parts that the product lacks, in words.
    """

    item: dict[str, Any]
    created: bool
    missing: list[str]

    @property
    def reference(self) -> ItemReference:
        """The item's name."""
        return ItemReference(self.item["collection"], self.item["id"])

    @property
    def has_cogs(self) -> bool:
        """Whether the item has COGs."""
        return any(name.startswith(COG_PREFIX) for name in self.item["assets"])


def import_product(
    source: str | Path,
    *,
    collection: str | None = None,
    product_type: str | None = None,
    when: str | None = None,
    cog: bool = False,
    again: bool = False,
    progress: Progress | None = None,
    session: Session | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> ImportResult:
    """Convert a product to Zarr and register it.

    Rasters become GeoZarr with overviews. A swath stays what it is, as EOPF Zarr; beside it stands
    what maps draw of it, on a grid (`skerry.products.pictures.map_rasters`). The product type's
    mapping file says which groups are left out, which variables maps draw and which get a COG.

    Parameters
    ----------
    source
        A SAFE folder or zip, another product that `skerry.open` reads, or an http(s) URL of a zip.
    collection
        Collection of the item; if None the collection of its type, such as ``sentinel-2-l2a``, or
        ``sentinel-2-l2a-simulated`` for a simulated scene. Made when missing, not public.
    product_type, when
        The product's EOPF type, such as ``S02MSIL2A``, and the data's time (RFC 3339), if the
        product does not say them itself. Its item then has the name of its file.
    cog
        Also write a COG of each band at its native resolution.
    again
        Import a product again that was withdrawn.
    progress
        Receives the progress.
    session
        Another session than this process's own.
    memory_bytes
        Approximate memory limit for writing.

    Returns
    -------
    ImportResult
        `created` is False if the same content was imported before: then nothing happens.

    Raises
    ------
    NotFoundError, InvalidInputError
        If the source does not exist, is not a product that Skerry reads, or is of a type without a
        mapping file and `collection` is None.
    ConflictError
        If an item of that name has another content, or this content was withdrawn.
    """
    from skerry.products.opening import open_product

    session = session or connect()
    report = progress or ignore_progress
    with locate_source(source, progress=progress) as path:
        report(0.0, "Opening")
        tree = open_product(path, product_type=product_type)
        if when is not None:
            _state_time(tree, when)
        report(0.05, "Reading checksums")
        work = _plan(tree, path, collection)
        known = _find_imported(session, work, again=again)
        if known is not None:
            return ImportResult(known, created=False, missing=work.missing)
        grant = grant_writing(session, Purpose.IMPORT)
        with register_folder(session, grant) as registration:
            with grant.objects.filling(grant.prefix) as folder:
                item = _convert(
                    work, grant.prefix, folder, report, cog=cog, memory_bytes=memory_bytes
                )
            report(0.95, "Registering")
            _ensure_collection(session, work)  # only now: a failed import leaves no empty one
            stored = registration.register(item, again=again)
            report(1.0, "Done")
            return ImportResult(stored, created=registration.keep, missing=work.missing)


@dataclass(frozen=True)
class _Work:
    """A product to import: its facts and its target."""

    tree: xr.DataTree
    mapping: ProductMapping | None
    reference: ItemReference
    source_digest: str
    simulated: bool

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue settings of this product type."""
        return Catalogue() if self.mapping is None else self.mapping.catalogue

    @property
    def properties(self) -> dict[str, Any]:
        """The product's own STAC properties."""
        return dict(self.tree.attrs["stac_discovery"]["properties"])

    @property
    def missing(self) -> list[str]:
        """Parts that the product lacks."""
        return list(self.tree.attrs.get("other_metadata", {}).get("missing", []))


def _state_time(tree: xr.DataTree, when: str) -> None:
    """Write the data's time that the user says into an item that has none."""
    item = tree.attrs.get("stac_discovery") or {}
    properties = item.get("properties") or {}
    moment = format_time(parse_time(when))
    if properties.get("datetime") not in (None, moment):
        raise InvalidInputError(
            f"The time of {tree.name} is {properties['datetime']}, not {moment}.",
            remedy="Leave --datetime out.",
        )
    tree.attrs["stac_discovery"] = (
        {"id": tree.name} | item | {"properties": properties | {"datetime": moment}}
    )


def _plan(tree: xr.DataTree, path: Path, collection: str | None) -> _Work:
    discovery: Mapping[str, Any] = tree.attrs.get("stac_discovery", {})
    if not discovery.get("id") or not discovery.get("properties", {}).get("datetime"):
        raise InvalidInputError(
            f"{path} does not say what it is: its attributes have no 'stac_discovery' with id "
            "and datetime.",
            remedy="Say it with --type and --datetime, or give the product as its provider made "
            "it; a dataset of your own goes into the catalogue with skerry.publish.",
        )
    simulated = bool(
        tree.attrs.get("other_metadata", {}).get("simulated")
        or discovery["properties"].get("skerry:simulated")
    )
    kind = recognise_type(tree)
    mapping = None if kind is None else load_mapping(kind)
    reference = ItemReference(
        check_name(
            collection or _choose_collection(tree, mapping, simulated), what="collection id"
        ),
        check_name(discovery["id"], what="item id"),
    )
    return _Work(tree, mapping, reference, digest_source(path), simulated)


def _choose_collection(tree: xr.DataTree, mapping: ProductMapping | None, simulated: bool) -> str:
    if mapping is None:
        kind = tree.attrs["stac_discovery"]["properties"].get("product:type")
        types = ", ".join(load_mapping(name).product_type for name in list_types())
        raise InvalidInputError(
            f"{tree.name} is of type {kind!r}, which has no collection of its own: {types} have.",
            remedy="Name a collection with --collection, or the type with --type if the product "
            "does not say it; or use 'skerry convert'.",
        )
    return mapping.collection + "-simulated" * simulated


def _find_imported(session: Session, work: _Work, *, again: bool) -> dict[str, Any] | None:
    """Look for the item before converting; the conditional call at the end still decides."""
    try:
        item = fetch_item(session, work.reference)
    except NotFoundError:
        return None
    except WithdrawnError:  # who sees withdrawn items is shown it
        item = None
    if item is None or item["properties"].get("skerry:status") == VersionStatus.WITHDRAWN:
        if not again:
            _check_not_withdrawn(session, work)
        return None
    is_same = item["properties"].get("skerry:source_digest") == work.source_digest
    if is_same:
        return item
    raise ConflictError(
        f"{work.reference} is in the catalogue with another content.",
        remedy=f"Withdraw it first: skerry item withdraw {work.reference} --reason ...",
    )


def _check_not_withdrawn(session: Session, work: _Work) -> None:
    """Refuse a content that was withdrawn, before the work of a conversion."""
    try:
        versions = fetch_versions(session, work.reference)
    except NotFoundError:  # a stranger is refused later
        return
    for version in versions:
        is_same = version.source_digest == work.source_digest
        if is_same and version.status is VersionStatus.WITHDRAWN:
            raise ConflictError(
                f"{work.reference} was withdrawn: {version.reason or 'long ago'}",
                remedy="If it is right after all: 'skerry import --again'.",
            )


def _ensure_collection(session: Session, work: _Work) -> None:
    own = work.reference.collection
    licence = _SIMULATED_LICENCE if work.simulated else "other"
    title = own
    if work.mapping is not None and own.removesuffix("-simulated") == work.mapping.collection:
        title = title_product(work.mapping.title, simulated=work.simulated)
    ensure_collection(session, own, title=title, licence=licence)


def _convert(
    work: _Work, prefix: str, folder: Path, report: Progress, *, cog: bool, memory_bytes: int
) -> dict[str, Any]:
    """Write all files into the folder, which is that of `prefix`, and return the item."""
    from skerry.products.pictures.quicklook import write_quicklook

    share = 0.45 if cog else 0.75
    rasters, geometry, fields = _write_product(
        work, folder, lambda done, what: report(0.1 + share * done, what), memory_bytes
    )
    report(0.1 + share, "Drawing quicklook")
    write_quicklook(
        rasters, folder / THUMBNAIL, simulated=work.simulated,
        drawn_first=work.catalogue.drawn_first,
    )  # fmt: skip
    if cog:
        fields |= write_cogs(
            rasters, folder, groups=work.catalogue.bands,
            progress=lambda done: report(0.6 + 0.3 * done, "Writing COGs"),
        )  # fmt: skip
    properties = {"title": work.reference.item, **work.properties}
    properties["title"] = title_product(properties["title"], simulated=work.simulated)
    properties["skerry:simulated"] = work.simulated
    if work.missing:
        properties["skerry:missing"] = work.missing
    return describe_item(
        folder,
        prefix,
        reference=work.reference,
        geometry=geometry,
        properties=properties,
        source_digest=work.source_digest,
        fields=fields,
        drawn_first=work.catalogue.drawn_first,
    )


def _write_product(
    work: _Work, folder: Path, report: Progress, memory_bytes: int
) -> tuple[xr.DataTree, dict[str, Any], dict[str, dict[str, Any]]]:
    """Write the product; return its rasters as written, its outline and the fields of assets."""
    from skerry.products.eopf.writing import write_eopf_zarr
    from skerry.products.geozarr.writing import read_written, write_geozarr
    from skerry.products.pictures.footprints import footprint

    product = folder / PRODUCT_FOLDER
    if work.mapping is None or not work.catalogue.maps:
        left_out = work.catalogue.left_out
        write_geozarr(
            work.tree, product, leave_out=left_out, memory_bytes=memory_bytes,
            progress=lambda done, _name: report(done, "Writing GeoZarr"),
        )  # fmt: skip
        written = read_written(work.tree, product, leave_out=left_out)
        return written, footprint(written), {}
    from skerry.products.pictures.map_rasters import outline_swath, rasterize_swath

    on_grid = rasterize_swath(work.tree, work.mapping)
    write_eopf_zarr(
        work.tree, product, memory_bytes=memory_bytes,
        progress=lambda done, _name: report(0.7 * done, "Writing EOPF Zarr"),
    )  # fmt: skip
    write_geozarr(
        on_grid, folder / MAP_FOLDER, memory_bytes=memory_bytes,
        progress=lambda done, _name: report(0.7 + 0.3 * done, "Bringing the swath to a map grid"),
    )  # fmt: skip
    written = read_written(on_grid, folder / MAP_FOLDER)
    finest = min(
        (node.to_dataset() for node in written.subtree if node.data_vars),
        key=lambda data: float(abs(data["x"][1] - data["x"][0])),
    )
    geometry = outline_swath(work.tree, work.mapping) or footprint(written)
    return written, geometry, {MAP_ASSET: describe_grid(finest)}
