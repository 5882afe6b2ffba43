"""`skerry demo`: run the pipeline end to end on simulated data; each step can be repeated."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

import skerry
from skerry.cli.presenting import say
from skerry.client import production
from skerry.client.session import join_address
from skerry.core.errors import NotFoundError, UnavailableError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.models.jobs import JobOrder, Policy, Review
from skerry.models.releases import Proposal, ReleaseStatus
from skerry.models.runs import Run, RunDetails, RunOrder, RunStatus

if TYPE_CHECKING:
    from skerry.client.references import ItemReference
    from skerry.client.session import Session

NAME = "demo-water-quality"
"""Name of the demo's release, job and product collection."""
SCENES = "demo-sentinel-2-l2a"
"""A collection only for the demo's scene, so that removing the demo touches nothing else."""

_NOTEBOOK = Path("production") / "s2_water_quality.ipynb"
_VARIABLE = "turbidity"
_SIZE = 732


@click.command()
@click.option("--remove", is_flag=True, help="Remove everything that the demo made.")
def demo(*, remove: bool) -> None:
    """Run the pipeline end to end on simulated data.

    Simulate, import, release, run on a Dask cluster, map. After an interruption the demo goes on
    from its last finished step; the last line is the link to the map.

    \b
    Example:
      skerry demo
      skerry demo --remove
    """  # noqa: D301
    from skerry.client.session import connect

    session = connect()
    if remove:
        _remove_demo(session)
        say("The demo is removed.")
        return
    scene = _import_scene(session)
    _create_job(session, _release_notebook(session), scene)
    product = _run_job(session, scene)
    link = f"{session.url}{DASHBOARDS_PREFIX}/map?item={product}&variable={_VARIABLE}"
    say(link)


def _import_scene(session: Session) -> ItemReference:
    """Return the demo's scene; simulate and import it if it is missing."""
    from skerry.cli.presenting import show_progress
    from skerry.client.references import parse_reference
    from skerry.client.searching import search
    from skerry.pipelines.importing import import_product
    from skerry.simulate.sentinel_2.product import simulate_s2_l2a

    scenes = search(collections=[SCENES], limit=1, session=session)
    if scenes:
        return parse_reference(scenes[0])
    with tempfile.TemporaryDirectory(prefix="skerry-demo-") as folder:
        say("Simulating a Sentinel-2 L2A scene")
        path = simulate_s2_l2a(Path(folder), size=_SIZE)
        say("Importing it")
        with show_progress("scene") as progress:
            result = import_product(path, collection=SCENES, progress=progress, session=session)
    return result.reference


def _release_notebook(session: Session) -> str:
    """Return the id of the demo's approved release; propose and approve it if it is missing."""
    releases = reversed(production.list_releases(session))
    by_status = {release.status: release for release in releases if release.name == NAME}
    if ReleaseStatus.APPROVED in by_status:
        return by_status[ReleaseStatus.APPROVED].id
    release = by_status.get(ReleaseStatus.PROPOSED)
    if release is None:
        say("Proposing the water quality notebook")
        notebook = json.loads(_find_notebook().read_text())
        release = production.propose_release(session, Proposal(name=NAME, notebook=notebook))
    say("Approving it (as its own proposer, which the release will say)")
    return production.approve_release(session, release, own=True).id


def _create_job(session: Session, release: str, scene: ItemReference) -> None:
    """Create the demo's job if it is missing; whoever starts it again works on the demo's scene."""
    if any(job.name == NAME for job in production.list_jobs(session)):
        return
    say("Creating a job")
    policy = Policy(review=Review.NONE, timeout_s=900, retries=1)
    order = JobOrder(
        name=NAME, release=release, collection=NAME, policy=policy, parameters={"item": str(scene)}
    )
    production.create_job(session, order)


def _run_job(session: Session, scene: ItemReference) -> ItemReference:
    """Run the job over the scene, or continue an existing run; return its product."""
    run = _start_run(session, scene, key="demo")
    product = _find_product(session, run)
    if product is None and run.status is RunStatus.SUCCEEDED:
        # Somebody has deleted the product since.
        run = _start_run(session, scene, key=None)
        product = _find_product(session, run)
    if product is None:
        raise UnavailableError(
            f"The demo's run {run.id} has {run.status}: {run.detail or 'no product'}.",
            remedy=f"Look at 'skerry logs {run.id}', then run 'skerry demo' again.",
        )
    return product


def _start_run(session: Session, scene: ItemReference, *, key: str | None) -> RunDetails:
    from skerry.cli.runs import wait_for_run

    order = RunOrder(parameters={"item": str(scene)}, idempotency_key=key)
    run = production.start_run(session, NAME, order)
    if run.status.can_be_retried:
        run = production.retry_run(session, run.id)
    if not run.status.has_ended:
        say("Running it on a Dask cluster")
    return wait_for_run(session, run.id)


def _find_product(session: Session, run: Run) -> ItemReference | None:
    """Return the run's product if it is in the catalogue."""
    from skerry.client.references import ItemReference, find_item

    for output in run.outputs:
        reference = ItemReference(output.collection, output.item)
        if find_item(session, reference) is not None:
            return reference
    return None


def _remove_demo(session: Session) -> None:
    """Remove job, runs, products, release and scene, if they exist."""
    from skerry.cli.runs import wait_for_run

    for run in _list_runs(session):
        if not run.status.has_ended:
            production.cancel_run(session, run.id)
            wait_for_run(session, run.id)
    # Delete products before histories, because a history keeps the folders of its products.
    _empty_collection(session, NAME)
    _forget(session, join_address("production", "jobs", NAME), history="true")
    for release in production.list_releases(session):
        if release.name == NAME:
            _forget(session, join_address("production", "releases", release.id))
    _empty_collection(session, SCENES)


def _list_runs(session: Session) -> Sequence[Run]:
    try:
        return production.list_runs(session, job=NAME, limit=1000)
    except NotFoundError:
        return []


def _empty_collection(session: Session, collection: str) -> None:
    from skerry.client.references import parse_reference
    from skerry.client.searching import search

    for item in search(collections=[collection], limit=None, session=session):
        _forget(session, parse_reference(item).path)
    _forget(session, join_address("stac", "collections", collection))


def _forget(session: Session, path: str, **query: str) -> None:
    with suppress(NotFoundError):
        session.request("DELETE", path, params=query)


def _find_notebook() -> Path:
    """Return the notebook of an installed wheel, else that of the checkout."""
    package = Path(skerry.__file__).parent
    candidates = [package / "notebooks" / _NOTEBOOK, package.parents[1] / "notebooks" / _NOTEBOOK]
    for path in candidates:
        if path.exists():
            return path
    raise NotFoundError(
        f"{candidates[0]} is missing.", remedy="Install Skerry again: its wheel has notebooks."
    )
