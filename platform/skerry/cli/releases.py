"""`skerry release`: propose, decide on and list releases."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from skerry.cli.presenting import json_option, name_readers, print_json, print_table, say
from skerry.client.production import (
    approve_release,
    fetch_release,
    give_release,
    list_releases,
    open_release,
    propose_release,
    reject_release,
)
from skerry.client.session import Session, connect, join_address
from skerry.core.digests import short_digest
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.time import format_time
from skerry.models.releases import ExtraWheel, Proposal, Release, ReleaseStatus


@click.group()
def release() -> None:
    """Propose, approve and list releases.

    \b
    Example:
      skerry release propose water_quality.ipynb
      skerry release approve water_quality --self
    """  # noqa: D301


@release.command("propose")
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Name of the release; the file's name if left out.")
@click.option(
    "--wheel", "wheels", multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A wheel that the notebook needs on top of the platform's packages.",
)  # fmt: skip
@click.option(
    "--owner", metavar="person:NAME|project:NAME",
    help="To whom it belongs.  [default: the platform's own project]",
)  # fmt: skip
@click.option(
    "--image", metavar="NAME@sha256:DIGEST",
    help="Your team's own image, in which it runs; on Kubernetes alone.",
)  # fmt: skip
@json_option
def propose(
    notebook: Path, name: str | None, wheels: tuple[Path, ...], owner: str | None,
    image: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Propose NOTEBOOK: pin it with its environment and read its parameters.

    Example: skerry release propose water_quality.ipynb --name water-quality
    """
    proposal = Proposal(
        name=name or notebook.stem,
        notebook=_read_notebook(notebook),
        extra_wheels=[
            ExtraWheel(filename=path.name, content=base64.b64encode(path.read_bytes()).decode())
            for path in wheels
        ],
        owner=owner,
        image=image,
    )
    _show_release(propose_release(connect(), proposal), as_json=as_json)


@release.command("approve")
@click.argument("release_name", metavar="RELEASE")
@click.option(
    "--self", "own", is_flag=True, help="Approve your own proposal; the release will show it."
)
@json_option
def approve(release_name: str, *, own: bool, as_json: bool) -> None:
    """Approve RELEASE, given by id, or by name if there is just one proposal of it.

    Example: skerry release approve water-quality --self
    """
    session = connect()
    proposal = _find_proposal(session, release_name)
    _show_release(approve_release(session, proposal, own=own), as_json=as_json)


@release.command("reject")
@click.argument("release_name", metavar="RELEASE")
@json_option
def reject(release_name: str, *, as_json: bool) -> None:
    """Refuse RELEASE, given by id, or by name if there is just one proposal of it.

    Example: skerry release reject water-quality
    """
    session = connect()
    proposal = _find_proposal(session, release_name)
    _show_release(reject_release(session, proposal.id), as_json=as_json)


@release.command("own")
@click.argument("release_name", metavar="RELEASE")
@click.argument("owner", metavar="person:NAME|project:NAME")
def own_release(release_name: str, owner: str) -> None:
    """Say to whom RELEASE belongs: to you or to a project of yours.

    Example: skerry release own water-quality project:lakes
    """
    given = give_release(connect(), release_name, owner)
    say(f"The release {given.id} belongs to {given.owner}.")


@release.command("publish")
@click.argument("release_name", metavar="RELEASE")
@click.option("--private", is_flag=True, help="Take it back.")
def publish_release(release_name: str, *, private: bool) -> None:
    """Show RELEASE with its notebook to everybody, without login, once it is approved.

    Example: skerry release publish water-quality
    """
    opened = open_release(connect(), release_name, public=not private)
    say(f"The release {opened.id} is {'public' if opened.public else 'private'}.")


@release.command("list")
@json_option
def show_releases(*, as_json: bool) -> None:
    """List releases, newest first.

    Example: skerry release list --json
    """
    releases = list_releases(connect())
    if as_json:
        print_json(releases)
        return
    head = ("ID", "NAME", "STATUS", "NOTEBOOK", "ENVIRONMENT", "PROPOSED BY", "APPROVED BY")
    print_table(head, [_release_row(item) for item in releases])


@release.command("show")
@click.argument("release_name", metavar="RELEASE")
@click.option("--notebook", is_flag=True, help="Print the cells of its notebook, too.")
@json_option
def show_release(release_name: str, *, notebook: bool, as_json: bool) -> None:
    """Show RELEASE, given by id or by name (then the newest approved release).

    Example: skerry release show water-quality --notebook
    """
    session = connect()
    pinned = fetch_release(session, release_name)
    _show_release(pinned, as_json=as_json)
    if notebook:
        content = session.send(
            "GET", join_address("production", "releases", pinned.id, "notebook")
        ).json()
        for number, cell in enumerate(content["cells"], start=1):
            say(f"\n# Cell {number} ({cell['cell_type']})\n{cell['source']}")


@release.command("fetch")
@click.argument("release_name", metavar="RELEASE")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def fetch(release_name: str, folder: Path) -> None:
    """Write notebook and wheels of RELEASE into FOLDER for a review.

    Example: skerry release fetch water-quality review/
    """
    session = connect()
    record = session.request("GET", join_address("production", "releases", release_name))
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"notebook": "notebook.ipynb"}
    parts |= {f"wheels/{name}": name for name in record["environment"]["wheels"]}
    for part, name in parts.items():
        content = session.send(
            "GET", join_address("production", "releases", record["id"], *part.split("/"))
        ).content
        (folder / name).write_bytes(content)
        say(str(folder / name))


def _read_notebook(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InvalidInputError(
            f"{path} is not a notebook.", remedy="Give a file that JupyterLab saved (.ipynb)."
        )
    return content


def _find_proposal(session: Session, name: str) -> Release:
    """Return the only undecided release of a name, or the release of an id."""
    proposed = [
        item
        for item in list_releases(session)
        if item.name == name and item.status is ReleaseStatus.PROPOSED
    ]
    if len(proposed) > 1:
        ids = ", ".join(f"{item.id} by {item.proposed_by}" for item in proposed)
        raise ConflictError(
            f"There are {len(proposed)} proposals named {name!r}: {ids}.",
            remedy="Give the id of the release that you reviewed.",
        )
    if proposed:
        return proposed[0]
    return fetch_release(session, name)


def _show_release(release: Release, *, as_json: bool) -> None:
    if as_json:
        print_json(release)
        return
    say(f"{release.name}  {release.id}  {_say_status(release)}")
    say(f"  notebook     {short_digest(release.notebook_digest)}")
    say(f"  environment  {short_digest(release.environment_digest)}")
    for name, digest in release.environment["wheels"].items():
        say(f"  wheel        {name} {short_digest(digest)}")
    if (image := release.environment.get("image")) is not None:
        say(f"  image        {image}")
    say(f"  owner        {release.owner}")
    say(f"  readers      {name_readers(public=release.public)}")
    say(f"  proposed     {_say_decision(release.proposed_by, release.proposed)}")
    if release.decided is not None:
        say(f"  decided      {_say_decision(release.decided_by, release.decided)}")
    for name, part in release.schema_["properties"].items():
        kind = part.get("type") or ("choice" if "enum" in part else "any of")
        default = f" = {json.dumps(part['default'])}" if "default" in part else " (required)"
        say(f"  -p {name}: {kind}{default}  {part.get('description', '')}".rstrip())


def _say_decision(by: str | None, at: datetime) -> str:
    return f"{format_time(at)}{f' by {by}' if by else ''}"


def _say_status(release: Release) -> str:
    return f"{release.status}{' (by its own proposer)' if release.self_approved else ''}"


def _release_row(release: Release) -> tuple[str, ...]:
    return (
        release.id,
        release.name,
        _say_status(release),
        short_digest(release.notebook_digest),
        short_digest(release.environment_digest),
        release.proposed_by or "",
        release.decided_by or "",
    )
