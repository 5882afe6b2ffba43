"""Which parts of a release, a job or a run are shown to a viewer who may see it.

A viewer who sees it only because it is public sees no accounts and no error messages.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from skerry.core.ownership import Relation, Verb, Viewer, decide, relate
from skerry.models.jobs import Job
from skerry.models.releases import Release
from skerry.models.runs import Run
from skerry.production.tables import JOB_SHARES, RELEASE_SHARES


class Presenter:
    """Shows things to a viewer, as far as the rules allow.

    Parameters
    ----------
    connection
        Any connection: it is used once, to read what is given to the viewer.
    viewer
        Who looks.
    """

    def __init__(self, connection: Connection, viewer: Viewer) -> None:
        self._viewer = viewer
        self._releases = RELEASE_SHARES.find_given(connection, viewer)
        self._jobs = JOB_SHARES.find_given(connection, viewer)

    def relate_release(self, release: Release) -> Relation:
        """Return the relation of a viewer to a release that they may see."""
        return self._relate(release.owner, self._releases.get(release.id))

    def relate_work(self, job: str, owner: str) -> Relation:
        """Return the relation of a viewer to a job, or to a run of it, that they may see."""
        return self._relate(owner, self._jobs.get(job))

    def show_release(self, release: Release) -> Release:
        """Return a release without what the viewer may not see."""
        if decide(self.relate_release(release), Verb.SEE):
            return release
        return release.model_copy(update={"proposed_by": None, "decided_by": None})

    def show_job(self, job: Job) -> Job:
        """Return a job without what the viewer may not see, and with what it is to them."""
        relation = self.relate_work(job.name, job.owner)
        hidden = {} if decide(relation, Verb.SEE) else {"created_by": None}
        return job.model_copy(update={"relation": relation, **hidden})

    def show_run[R: Run](self, run: R) -> R:
        """Return a run without what the viewer may not see, and with what it is to them."""
        relation = self.relate_work(run.job, run.owner)
        if decide(relation, Verb.SEE):
            return run.model_copy(update={"relation": relation})
        progress = run.progress.model_copy(update={"cell": None})
        hidden: dict[str, Any] = {
            "relation": relation, "created_by": None, "detail": None, "progress": progress,
        }  # fmt: skip
        if "attempts" in type(run).model_fields:
            hidden["attempts"] = []
        return run.model_copy(update=hidden)

    def _relate(self, owner: str, shares: Mapping[str, Verb] | None) -> Relation:
        return relate(self._viewer, owner, public=True, shares=shares)
