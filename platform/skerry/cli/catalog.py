"""`skerry import`, `export`, `search`, `collection`: the catalogue in a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skerry.cli.items import check_collections, show_items
from skerry.cli.outputs import memory_option, type_option
from skerry.cli.presenting import (
    json_option,
    name_readers,
    print_json,
    print_table,
    say,
    show_progress,
)
from skerry.cli.termination import clean_up_when_told_to_end
from skerry.client.session import join_address

if TYPE_CHECKING:
    from skerry.pipelines.importing import ImportResult


@click.command("import")
@click.argument("sources", metavar="PATH|URL...", nargs=-1, required=True)
@click.option("--collection", help="Collection of the items.  [default: by the kind of product]")
@type_option
@click.option(
    "--datetime",
    "when",
    metavar="TIME",
    help="The data's time, such as 2026-05-01T10:30:00Z, if the product does not say it itself.",
)
@click.option("--cog", is_flag=True, help="Also write a COG of each band (for stacks and GIS).")
@click.option("--again", is_flag=True, help="Also a product that was withdrawn.")
@memory_option
@json_option
def import_(
    *,
    sources: tuple[str, ...],
    collection: str | None,
    product_type: str | None,
    when: str | None,
    cog: bool,
    again: bool,
    memory_bytes: int,
    as_json: bool,
) -> None:
    """Convert products to GeoZarr and register them as items.

    A product that was imported before is recognised by its content and not imported again.

    \b
    Example:
      skerry import S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV_20260501T134557.SAFE --cog
    """  # noqa: D301
    from skerry.pipelines.importing import import_product

    results = []
    with clean_up_when_told_to_end():
        for source in sources:
            with show_progress(Path(source).name) as progress:
                result = import_product(
                    source,
                    collection=collection,
                    product_type=product_type,
                    when=when,
                    cog=cog,
                    again=again,
                    memory_bytes=memory_bytes,
                    progress=progress,
                )
            results.append(result)
            if not as_json:
                _say_imported(result, cog=cog)
    if as_json:
        print_json([_summarise(result) for result in results])


@click.command()
@click.argument("item", metavar="COLLECTION/ITEM")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The GeoTIFF to write.",
)  # fmt: skip
@click.option("--variable", help="The variable; may be left out when there is only one.")
@json_option
def export(item: str, output: Path, variable: str | None, as_json: bool) -> None:
    """Write an item's variable as a Cloud-Optimized GeoTIFF, for QGIS.

    \b
    Example:
      skerry export water/turbidity-20260501T103029Z --variable turbidity -o turbidity.tif
    """  # noqa: D301
    from skerry.pipelines.exporting import export_item

    path = export_item(item, output, variable=variable)
    if as_json:
        print_json({"item": item, "path": str(path), "bytes": path.stat().st_size})
    else:
        say(str(path))


@click.command()
@click.option("--collection", "collections", multiple=True, help="May be given several times.")
@click.option("--bbox", help="west,south,east,north in degrees.")
@click.option("--intersects", help="A GeoJSON file.", type=click.Path(exists=True, path_type=Path))
@click.option("--datetime", "when", help="2026-05-01T00:00:00Z, or an interval with /.")
@click.option("--id", "ids", multiple=True, help="May be given several times.")
@click.option("--limit", default=100, show_default=True, help="At most so many items.")
@json_option
def search(
    *,
    collections: tuple[str, ...],
    bbox: str | None,
    intersects: Path | None,
    when: str | None,
    ids: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Find items by area, time and collection.

    \b
    Example:
      skerry search --collection sentinel-2-l2a --bbox 13,54,15,55 --datetime 2026-05-01/2026-06-01
    """  # noqa: D301
    from skerry.client.searching import search as find

    check_collections(collections)
    matches = find(
        collections=collections or None,
        bbox=_split_numbers(bbox),
        intersects=_read_geojson(intersects),
        datetime=_widen_days(when),
        ids=ids or None,
        limit=limit,
    )
    show_items([item.to_dict(transform_hrefs=False) for item in matches], as_json=as_json)


@click.group("collection")
def collection_group() -> None:
    """List, show, publish and delete collections.

    \b
    Example:
      skerry collection publish water
    """  # noqa: D301


@collection_group.command("list")
@json_option
def list_collections(as_json: bool) -> None:
    """List collections.

    \b
    Example:
      skerry collection list
    """  # noqa: D301
    from skerry.client.session import connect

    collections = connect().request("GET", "stac/collections")["collections"]
    if as_json:
        print_json(collections)
        return
    rows = [
        (item["id"], "public" if item.get("skerry:public") else "private", item.get("title", ""))
        for item in collections
    ]
    print_table(("COLLECTION", "READERS", "TITLE"), rows)


@collection_group.command("show")
@click.argument("collection")
@json_option
def show_collection(collection: str, as_json: bool) -> None:
    """Show one collection.

    \b
    Example:
      skerry collection show sentinel-2-l2a
    """  # noqa: D301
    from skerry.client.session import connect
    from skerry.core.ids import check_name

    check_name(collection, what="collection id")
    record = connect().request("GET", join_address("stac", "collections", collection))
    if as_json:
        print_json(record)
        return
    for name in ("id", "title", "description", "license"):
        say(f"{name:<12}{record.get(name, '')}")
    say(f"{'owner':<12}{record.get('skerry:owner', '')}")
    say(f"{'readers':<12}{name_readers(public=bool(record.get('skerry:public')))}")


@collection_group.command("publish")
@click.argument("collection")
@click.option("--private", is_flag=True, help="Take it back.")
def publish_collection(collection: str, private: bool) -> None:
    """Make a collection and its published items readable without login.

    \b
    Example:
      skerry collection publish water
    """  # noqa: D301
    from skerry.client.collections import set_public
    from skerry.client.session import connect

    set_public(connect(), collection, public=not private)
    say(f"{collection} is {'private' if private else 'public'}")


@collection_group.command("own")
@click.argument("collection")
@click.argument("owner", metavar="person:NAME|project:NAME")
def own_collection(collection: str, owner: str) -> None:
    """Say to whom a collection belongs: to you or to a project of yours.

    \b
    Example:
      skerry collection own water person:ann
    """  # noqa: D301
    from skerry.client.collections import set_owner
    from skerry.client.session import connect

    set_owner(connect(), collection, owner)
    say(f"{collection} belongs to {owner}")


@collection_group.command("delete")
@click.argument("names", metavar="COLLECTION...", nargs=-1, required=True)
def delete_collections(names: tuple[str, ...]) -> None:
    """Delete empty collections.

    \b
    Example:
      skerry collection delete water
    """  # noqa: D301
    from skerry.client.session import connect
    from skerry.core.ids import check_name

    session = connect()
    for name in names:
        check_name(name, what="collection id")
        session.request("DELETE", join_address("stac", "collections", name))
        say(f"Deleted {name}")


def _say_imported(result: ImportResult, *, cog: bool) -> None:
    say(f"{'Imported' if result.created else 'Already there:'} {result.reference}")
    for name in result.missing:
        say(f"  missing: {name}", err=True)
    if cog and not result.has_cogs:
        say("  It has no COGs: delete it and import it again with --cog.", err=True)


def _summarise(result: ImportResult) -> dict[str, Any]:
    return {
        "collection": result.reference.collection,
        "item": result.reference.item,
        "created": result.created,
        "missing": result.missing,
        "digest": result.item["properties"]["skerry:digest"],
    }


def _split_numbers(text: str | None) -> list[float] | None:
    from skerry.core.errors import InvalidInputError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidInputError(
            f"{text!r} is not a bounding box.",
            remedy="Write it as 13,54,15,55 (west,south,east,north).",
        ) from None


def _read_geojson(path: Path | None) -> Any:
    from skerry.core.errors import InvalidInputError

    if path is None:
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InvalidInputError(
            f"{path} is not JSON ({error}).", remedy="Give a GeoJSON file in EPSG:4326."
        ) from None


def _widen_days(text: str | None) -> str | None:
    """Make a day without a time, also as an end of an interval, mean the whole day."""
    from skerry.core.time import parse_day

    if text is None or "T" in text:
        return text
    ends = text.split("/")
    first, last = ends[0], ends[-1]
    begin = first if first in ("", "..") else f"{parse_day(first)}T00:00:00Z"
    end = last if last in ("", "..") else f"{parse_day(last)}T23:59:59.999999Z"
    return f"{begin}/{end}"
