"""`skerry item`: list and show items; publish, withdraw and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from skerry.cli.presenting import json_option, print_json, print_table
from skerry.client.session import join_address
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.core.time import format_time
from skerry.models.versions import ItemVersion

if TYPE_CHECKING:
    from skerry.client.versions import Decision


@click.group("item")
def item_group() -> None:
    """List, show, publish, withdraw and delete items.

    \b
    Example:
      skerry item list --collection sentinel-2-l2a
    """  # noqa: D301


@item_group.command("list")
@click.option("--collection", "collections", multiple=True, help="May be given several times.")
@click.option("--limit", default=100, show_default=True, help="At most so many items.")
@click.option("-q", "--quiet", is_flag=True, help="Print COLLECTION/ITEM and nothing else.")
@json_option
def list_items(collections: tuple[str, ...], limit: int, quiet: bool, as_json: bool) -> None:
    """List items, newest first.

    \b
    Example:
      skerry item list --collection sentinel-2-l2a --json
    """  # noqa: D301
    from skerry.client import search as find

    check_collections(collections)
    matches = find(collections=collections or None, limit=limit)
    if quiet:
        for item in matches:
            click.echo(f"{item.collection_id}/{item.id}")
        return
    show_items([item.to_dict(transform_hrefs=False) for item in matches], as_json=as_json)


@item_group.command("show")
@click.argument("item", metavar="COLLECTION/ITEM")
@json_option
def show_item(item: str, as_json: bool) -> None:
    """Show one item.

    \b
    Example:
      skerry item show sentinel-2-l2a/S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV_20260501T134557
    """  # noqa: D301
    from skerry.client import connect
    from skerry.client.references import fetch_item, parse_reference
    from skerry.products.coding.true_colour import list_drawn

    session = connect()
    record = fetch_item(session, parse_reference(item))
    if as_json:
        print_json(record)
        return
    properties = record["properties"]
    for name in ("title", "datetime", "skerry:status", "skerry:digest", "proj:code"):
        if properties.get(name):
            click.echo(f"{name.removeprefix('skerry:'):<12}{properties[name]}")
    click.echo(f"{'bbox':<12}{', '.join(f'{number:.4f}' for number in record['bbox'])}")
    for name in properties.get("skerry:missing", []):
        click.echo(f"{'missing':<12}{name}")
    layers = list_drawn(properties.get("skerry:variables", {}))
    click.echo(f"{'variables':<12}{', '.join(layers)}")
    click.echo(f"{'assets':<12}{', '.join(record['assets'])}")
    for name in layers:
        link = f"{session.url}{DASHBOARDS_PREFIX}/map?item={item}&variable={name}"
        click.echo(f"{'map':<12}{link}")


@item_group.command("versions")
@click.argument("item", metavar="COLLECTION/ITEM")
@json_option
def list_versions(item: str, as_json: bool) -> None:
    """List the versions of an item, newest first.

    \b
    Example:
      skerry item versions water/turbidity-20260501T103029Z
    """  # noqa: D301
    from skerry.client import connect
    from skerry.client.references import parse_reference
    from skerry.client.versions import fetch_versions

    versions = fetch_versions(connect(), parse_reference(item))
    _print_versions(versions, as_json=as_json)


@item_group.command("publish")
@click.argument("item", metavar="COLLECTION/ITEM")
@click.option("--version", type=int, help="Which version.  [default: the preliminary version]")
@json_option
def publish_item(item: str, version: int | None, as_json: bool) -> None:
    """Publish a preliminary version of an item, in place of the published version.

    \b
    Example:
      skerry item publish water/turbidity-20260501T103029Z --version 2
    """  # noqa: D301
    _decide(item, "publish", version, as_json=as_json)


@item_group.command("withdraw")
@click.argument("item", metavar="COLLECTION/ITEM")
@click.option(
    "--version", type=int, help="Which version.  [default: the published, else the preliminary]"
)
@json_option
def withdraw_item(item: str, version: int | None, as_json: bool) -> None:
    """Withdraw a version of an item; no earlier version takes its place, and its files stay.

    \b
    Example:
      skerry item withdraw water/turbidity-20260501T103029Z
    """  # noqa: D301
    _decide(item, "withdraw", version, as_json=as_json)


@item_group.command("delete")
@click.argument("names", metavar="COLLECTION/ITEM...", nargs=-1, required=True)
def delete_items(names: tuple[str, ...]) -> None:
    """Delete items and their files.

    \b
    Example:
      skerry item delete sentinel-2-l2a-simulated/S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV
    """  # noqa: D301
    from skerry.client import connect
    from skerry.client.references import parse_reference

    session = connect()
    for name in names:
        session.request("DELETE", parse_reference(name).path)
        click.echo(f"Deleted {name}")


def show_items(records: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print items as a table or as a feature collection."""
    if as_json:
        print_json({"type": "FeatureCollection", "features": list(records)})
        return
    rows = [
        (
            f"{record['collection']}/{record['id']}",
            str(record["properties"].get("datetime", "")),
            str(record["properties"].get("skerry:status", "")),
        )
        for record in records
    ]
    print_table(("ITEM", "DATA TIME", "STATUS"), rows)


def check_collections(names: Sequence[str]) -> None:
    """Refuse the name of a missing collection, because a search would just find no items."""
    from skerry.client import connect

    for name in names:
        connect().request("GET", join_address("stac", "collections", name))


def _decide(item: str, decision: Decision, version: int | None, *, as_json: bool) -> None:
    from skerry.client import connect
    from skerry.client.references import parse_reference
    from skerry.client.versions import decide_version

    versions = decide_version(connect(), parse_reference(item), decision, version)
    _print_versions(versions, as_json=as_json)


def _print_versions(versions: list[ItemVersion], *, as_json: bool) -> None:
    if as_json:
        print_json(versions)
        return
    rows = [
        (str(item.version), item.status, format_time(item.created), item.owner, item.run or "")
        for item in versions
    ]
    print_table(("VERSION", "STATUS", "CREATED", "OWNER", "RUN"), rows)
