"""HTTP routes for run processes: their order, their progress, and what they publish.

Each takes the token of the attempt that its address names, and no other.
"""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from skerry.catalog.settling import settling
from skerry.core.ownership import KEEPER
from skerry.core.scopes import Scope
from skerry.models.runs import AttemptOrder, ProgressReport, ReportAnswer, RunDetails
from skerry.models.values import Epoch
from skerry.production import epochs, publishing, releases, run_history
from skerry.production.orders import write_order
from skerry.production.publishing import Publication
from skerry.production.release_files import read_release_notebook
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores, name_actor

Runner = Annotated[Identity, Depends(require(Scope.RUN_PUBLISH))]

_LOG = logging.getLogger("skerry.api")


def create_attempts_router(stores: Stores) -> APIRouter:
    """Return the routes under ``/production/runs/<run>/attempts``."""
    router = create_router(prefix="/production/runs/{run}/attempts", tags=["production"])
    _add_reports(router, stores)
    _add_publishing(router, stores)
    return router


def _add_reports(router: APIRouter, stores: Stores) -> None:
    @router.post("/{epoch}/progress")
    def report_progress(
        run: str, epoch: Epoch, progress: ProgressReport, who: Runner
    ) -> ReportAnswer:
        """Record progress; 409 tells the attempt to end itself."""
        with stores.change(who) as connection:
            epochs.check_token(connection, run, epoch, who.token)
            epochs.record_progress(
                connection, run, epoch, done=progress.done, total=progress.total, cell=progress.cell
            )
        return ReportAnswer()

    @router.get("/{epoch}/order")
    def read_order(run: str, epoch: Epoch, who: Runner) -> AttemptOrder:
        """Return what an attempt has to do; 409 when it is superseded."""
        with stores.reader.connect() as connection:
            epochs.check_current(connection, run, epoch, who.token)
            # the token is this attempt's
            row = run_history.find_run(connection, run, viewer=KEEPER)
            release = releases.get_approved(connection, row["release_id"])
        return write_order(row, epoch, release, read_release_notebook(stores.objects, release))


def _add_publishing(router: APIRouter, stores: Stores) -> None:
    @router.post("/{epoch}/publish")
    def publish_outputs(
        run: str, epoch: Epoch, publication: Publication, who: Runner
    ) -> RunDetails:
        """Publish an attempt's outputs, all or none; 409 when it is superseded."""

        def list_written(connection: Connection) -> list[tuple[str, str]]:
            epochs.check_token(connection, run, epoch, who.token)
            publication.check(run, epoch)
            return publishing.list_written(
                connection, run, epoch, publication.outputs, stores.objects
            )

        moving = settling(stores.writer, stores.objects, name_actor(who), list_written)
        with moving as homes, stores.change(who) as connection:
            epochs.check_token(connection, run, epoch, who.token)
            publication.check(run, epoch)
            details = publishing.publish_outputs(
                connection, run, epoch, publication.outputs, by=who.account,
                remark=publication.remark, objects=stores.objects, homes=homes,
            )  # fmt: skip
        _LOG.info("The run %s published %s outputs.", run, len(publication.outputs))
        return details
