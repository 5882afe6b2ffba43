"""`skerry item`: list and show items; publish, withdraw and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from pydantic import ValidationError

from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.client.session import join_address
from skerry.core.errors import InvalidInputError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.core.time import format_time
from skerry.models.versions import ItemVersion, Withdrawal


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
    from skerry.client.searching import search as find

    check_collections(collections)
    matches = find(collections=collections or None, limit=limit)
    if quiet:
        for item in matches:
            say(f"{item.collection_id}/{item.id}")
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
    from skerry.client.references import fetch_item, parse_reference
    from skerry.client.session import connect
    from skerry.products.coding.true_colour import list_drawn

    session = connect()
    record = fetch_item(session, parse_reference(item))
    if as_json:
        print_json(record)
        return
    properties = record["properties"]
    shown = ("title", "datetime", "skerry:status", "skerry:reason", "skerry:bytes_deleted",
             "skerry:digest", "proj:code")  # fmt: skip
    for name in shown:
        if properties.get(name):
            say(f"{name.removeprefix('skerry:').replace('_', ' '):<14}{properties[name]}")
    say(f"{'bbox':<14}{', '.join(f'{number:.4f}' for number in record['bbox'])}")
    for name in properties.get("skerry:missing", []):
        say(f"{'missing':<14}{name}")
    layers = list_drawn(properties.get("skerry:variables", {}))
    say(f"{'variables':<14}{', '.join(layers)}")
    say(f"{'assets':<14}{', '.join(record['assets'])}")
    for name in layers:
        link = f"{session.url}{DASHBOARDS_PREFIX}/map?item={item}&variable={name}"
        say(f"{'map':<14}{link}")


@item_group.command("versions")
@click.argument("item", metavar="COLLECTION/ITEM")
@json_option
def list_versions(item: str, as_json: bool) -> None:
    """List the versions of an item, newest first.

    \b
    Example:
      skerry item versions water/turbidity-20260501T103029Z
    """  # noqa: D301
    from skerry.client.references import parse_reference
    from skerry.client.session import connect
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
    from skerry.client.references import parse_reference
    from skerry.client.session import connect
    from skerry.client.versions import PUBLISHABLE, choose_version
    from skerry.client.versions import publish_version as publish

    session, reference = connect(), parse_reference(item)
    chosen = choose_version(session, reference, PUBLISHABLE, version)
    _print_versions(publish(session, reference, chosen.version), as_json=as_json)


@item_group.command("withdraw")
@click.argument("item", metavar="COLLECTION/ITEM")
@click.option("--reason", required=True, help="Why; who could see the version is told.")
@click.option(
    "--version", type=int,
    help="Which version.  [default: the published, else the preliminary, else the withdrawn]",
)  # fmt: skip
@click.option("--delete-bytes", is_flag=True, help="Delete its files, too; the record stays.")
@click.option("--yes", is_flag=True, help="Do not ask for leave to delete.")
@json_option
def withdraw_item(
    item: str, *, reason: str, version: int | None, delete_bytes: bool, yes: bool, as_json: bool
) -> None:
    """Withdraw a version of an item: within seconds only operators see it.

    No earlier version takes its place. Its record stays, with the reason, and so do its files
    without --delete-bytes. A version that is withdrawn already gets the new reason.

    \b
    Example:
      skerry item withdraw water/turbidity-20260501T103029Z --reason "wrong calibration"
    """  # noqa: D301
    from skerry.client.references import parse_reference
    from skerry.client.session import connect
    from skerry.client.versions import WITHDRAWABLE, choose_version, withdraw_version

    session, reference = connect(), parse_reference(item)
    withdrawal = _read_withdrawal(reason, delete_bytes=delete_bytes)
    chosen = choose_version(session, reference, WITHDRAWABLE, version)
    if delete_bytes and not yes:
        raise InvalidInputError(
            f"--delete-bytes would delete the files of version {chosen.version} of {reference},"
            f" which is {chosen.status.value}, for ever.",
            remedy="If you mean that, add --yes.",
        )
    versions = withdraw_version(session, reference, chosen.version, withdrawal)
    _print_versions(versions, as_json=as_json)


@item_group.command("delete")
@click.argument("names", metavar="COLLECTION/ITEM...", nargs=-1, required=True)
def delete_items(names: tuple[str, ...]) -> None:
    """Delete items and their files.

    \b
    Example:
      skerry item delete sentinel-2-l2a-simulated/S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV
    """  # noqa: D301
    from skerry.client.references import parse_reference
    from skerry.client.session import connect

    session = connect()
    for name in names:
        session.request("DELETE", parse_reference(name).path)
        say(f"Deleted {name}")


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
    from skerry.client.session import connect

    for name in names:
        connect().request("GET", join_address("stac", "collections", name))


def _read_withdrawal(reason: str, *, delete_bytes: bool) -> Withdrawal:
    try:
        return Withdrawal(reason=reason, delete_bytes=delete_bytes)
    except ValidationError:
        raise InvalidInputError(
            f"{reason[:60]!r} is not a reason.",
            remedy="Write a line of 1 to 1000 characters, without control characters.",
        ) from None


def _print_versions(versions: list[ItemVersion], *, as_json: bool) -> None:
    if as_json:
        print_json(versions)
        return
    rows = [
        (
            str(item.version), item.status, format_time(item.created), item.owner, item.run or "",
            "deleted" if item.bytes_deleted else "kept", item.reason or "",
        )
        for item in versions
    ]  # fmt: skip
    print_table(("VERSION", "STATUS", "CREATED", "OWNER", "RUN", "BYTES", "REASON"), rows)
