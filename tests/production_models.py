"""A run and a job as the api describes them, for tests that read them."""

from typing import Any

from skerry.models.jobs import Job
from skerry.models.runs import RunDetails

_RUN = {
    "id": "0196", "job": "water", "release": "r1", "release_name": "s2", "self_approved": True,
    "occurrence": "manual/x", "data_day": "2026-05-01", "partition": "", "parameters": {},
    "collection": "water", "status": "running", "cancel_requested": False, "epoch": 2,
    "progress": {"done": 3, "total": 11, "cell": "masks"}, "detail": None, "owner": "person:ada",
    "created_by": "ada",
    "created": "2026-05-01T11:58:00Z", "started": "2026-05-01T11:58:30Z", "ended": None,
    "outputs": [], "attempts": [],
}  # fmt: skip
_JOB = {
    "id": "j1", "name": "daily", "release": "r1", "release_name": "s2", "self_approved": False,
    "parameters": {}, "trigger": {"kind": "manual"}, "paused": False, "next_tick": None,
    "collection": "water", "policy": {}, "owner": "person:ada",
    "public": False, "created_by": "ada", "created": "2026-05-01T11:58:00Z",
}  # fmt: skip


def make_run(**changes: Any) -> RunDetails:
    """Return a run that is under way, with changes."""
    return RunDetails.model_validate(_RUN | changes)


def make_job(**changes: Any) -> Job:
    """Return a job that is started by hand, with changes."""
    return Job.model_validate(_JOB | changes)
