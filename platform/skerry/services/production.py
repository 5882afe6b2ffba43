"""HTTP routes of production, for people: releases, jobs and runs."""

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from skerry.core.disk import check_space
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.core.settings import API_PREFIX
from skerry.models.files import Manifest, Notebook
from skerry.models.jobs import Job, JobList, JobOrder, JobPlan
from skerry.models.releases import Approval, Proposal, Release, ReleaseList
from skerry.models.runs import (
    RunCounts,
    RunDetails,
    RunList,
    RunOrder,
    RunStatus,
)
from skerry.models.shares import OwnerOrder
from skerry.models.values import MOST
from skerry.production import (
    counting,
    files,
    jobs,
    proposals,
    releases,
    run_history,
    runs,
)
from skerry.production.images import Images, check_environment
from skerry.production.occurrences import key_for_request
from skerry.production.planning import plan_runs
from skerry.production.publishing import list_catalogued
from skerry.production.release_files import (
    read_release_notebook,
    read_release_wheel,
    remove_release_files,
)
from skerry.services.access import check_new_owner
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, require
from skerry.services.media import sends, sends_files
from skerry.services.stores import Stores, name_actor
from skerry.services.work_access import (
    check_job,
    check_proposal,
    check_release,
    check_run,
    choose_job_owner,
    choose_release_owner,
    find_work_viewer,
    show_job,
    show_release,
    show_run,
)
from skerry.storage.run_folder import RunFile, RunFolder, remove_run

Visitor = Annotated[Identity | None, Depends(identify())]
Reader = Annotated[Identity, Depends(require(Scope.PRODUCTION_READ))]
Proposer = Annotated[Identity, Depends(require(Scope.PRODUCTION_PROPOSE))]
Approver = Annotated[Identity, Depends(require(Scope.PRODUCTION_APPROVE))]
Operator = Annotated[Identity, Depends(require(Scope.PRODUCTION_OPERATE))]
PlanCount = Annotated[int, Query(ge=1, le=100)]
ShownEpoch = Annotated[int | None, Query(ge=1, le=MOST)]

_LARGEST_PROPOSAL = 128 << 20  # bytes of a notebook with wheels

SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": RunDetails, "description": "The run that was started with this key before"}
}
NOTEBOOK_TYPE = "application/x-ipynb+json"

SANDBOXED = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}

_LOG = logging.getLogger("skerry.api")


def create_production_router(stores: Stores, *, self_approval: bool = True) -> APIRouter:
    """Return the routes under ``/production``.

    Parameters
    ----------
    stores
        The platform's stores.
    self_approval
        Whether somebody may approve their own proposal, saying so.
    """
    router = create_router(prefix="/production", tags=["production"])
    _add_releases(router, stores)
    _add_release_files(router, stores)
    _add_decisions(router, stores, self_approval=self_approval)
    _add_jobs(router, stores)
    _add_clocks(router, stores)
    _add_run_orders(router, stores)
    _add_runs(router, stores)
    _add_run_files(router, stores)
    return router


def _add_releases(router: APIRouter, stores: Stores) -> None:
    @router.post("/releases", status_code=201, max_body_size=_LARGEST_PROPOSAL)
    def propose_release(proposal: Proposal, who: Proposer) -> Release:
        """Propose a notebook as a release."""
        owner = choose_release_owner(who, proposal.owner)
        return proposals.propose_release(
            stores.writer, stores.objects, proposal, by=name_actor(who), owner=owner
        )

    @router.get("/releases")
    def list_releases(who: Visitor) -> ReleaseList:
        """List the releases that the asker sees, newest first."""
        with stores.reader.connect() as connection:
            visible = releases.list_releases(connection, viewer=find_work_viewer(who))
        return ReleaseList(releases=visible)

    @router.get("/releases/{release}")
    def get_release(release: str, who: Visitor) -> Release:
        """Show a release by id, or the newest approved one of a name."""
        with stores.reader.connect() as connection:
            return show_release(connection, who, release)

    @router.put("/releases/{release}/owner")
    def give_release(release: str, order: OwnerOrder, who: Proposer) -> Release:
        """Give a release to another owner: a person or project for whom the asker speaks."""
        with stores.change(who) as connection:
            own = check_release(connection, who, release, Verb.GIVE)
            owner = check_new_owner(who, order.owner)
            return releases.give_release(connection, own, owner)

    @router.delete("/releases/{release}", status_code=204)
    def delete_release(release: str, who: Operator) -> None:
        """Remove a release that nothing uses."""
        with stores.change(who) as connection:
            unused = check_release(connection, who, release, Verb.REMOVE)
            deleted = releases.delete_release(connection, unused.id)
        remove_release_files(stores.objects, deleted)


def _add_release_files(router: APIRouter, stores: Stores) -> None:
    @router.get("/releases/{release}/notebook", **sends_files({NOTEBOOK_TYPE: Notebook}))
    def get_release_notebook(release: str, who: Visitor) -> Response:
        """Return the pinned notebook of a release."""
        with stores.reader.connect() as connection:
            pinned = show_release(connection, who, release)
        media_type = files.SHOWN[RunFile.EXECUTED]
        return Response(
            read_release_notebook(stores.objects, pinned), media_type=media_type, headers=SANDBOXED
        )

    @router.get("/releases/{release}/wheels/{name}", **sends("application/octet-stream"))
    def get_release_wheel(release: str, name: str, who: Visitor) -> Response:
        """Return a wheel that a release adds."""
        with stores.reader.connect() as connection:
            pinned = show_release(connection, who, release)
        content = read_release_wheel(stores.objects, pinned, name)
        return Response(content, media_type="application/octet-stream", headers=SANDBOXED)


def _add_decisions(router: APIRouter, stores: Stores, *, self_approval: bool) -> None:
    images = Images.from_environment()

    @router.post("/releases/{release}/approve")
    def approve_release(release: str, approval: Approval, who: Approver) -> Release:
        """Approve a proposal."""
        with stores.change(who) as connection:
            proposal = check_proposal(connection, who, release)
            releases.check_seen(
                proposal,
                notebook_digest=approval.notebook_digest,
                environment_digest=approval.environment_digest,
            )
            check_environment(proposal.environment, images)
            own = approval.own and self_approval
            return releases.approve_release(connection, release, by=who.account, own=own)

    @router.post("/releases/{release}/reject")
    def reject_release(release: str, who: Approver) -> Release:
        """Refuse a proposal."""
        with stores.change(who) as connection:
            check_proposal(connection, who, release)
            return releases.reject_release(connection, release, by=who.account)


def _add_jobs(router: APIRouter, stores: Stores) -> None:
    @router.post("/jobs", status_code=201)
    def create_job(order: JobOrder, who: Operator) -> Job:
        """Create a job."""
        with stores.change(who) as connection:
            release = check_release(connection, who, order.release, Verb.SEE_PUBLISHED)
            owner = choose_job_owner(connection, who, order, release)
            pinned = order.model_copy(update={"release": release.id})
            return jobs.create_job(connection, pinned, by=who.account, owner=owner)

    @router.get("/jobs")
    def list_jobs(who: Visitor) -> JobList:
        """List the jobs that the asker sees by name, with their next ticks."""
        with stores.reader.connect() as connection:
            return JobList(jobs=jobs.list_jobs(connection, viewer=find_work_viewer(who)))

    @router.get("/jobs/{job}")
    def get_job(job: str, who: Visitor) -> Job:
        """Show a job."""
        with stores.reader.connect() as connection:
            return show_job(connection, who, job)

    @router.put("/jobs/{job}/owner")
    def give_job(job: str, order: OwnerOrder, who: Operator) -> Job:
        """Give a job and its runs to another person or project for whom the asker speaks."""
        with stores.change(who) as connection:
            own = check_job(connection, who, job, Verb.GIVE)
            owner = check_new_owner(who, order.owner)
            jobs.check_products(connection, own["collection"], owner)
            return jobs.give_job(connection, job, owner)

    @router.delete("/jobs/{job}", status_code=204)
    def delete_job(job: str, who: Operator, *, history: bool = False) -> None:
        """Remove a job; with `history` also its runs, but not their catalogued products."""
        with stores.change(who) as connection:
            check_job(connection, who, job, Verb.REMOVE)
            deleted_runs = jobs.delete_job(connection, job, history=history)
            epochs_in_use = list_catalogued(connection, deleted_runs)
        for run, kept_epochs in epochs_in_use.items():
            remove_run(stores.objects, run, kept_epochs)


def _add_clocks(router: APIRouter, stores: Stores) -> None:
    @router.get("/jobs/{job}/plan")
    def plan_job(job: str, who: Visitor, count: PlanCount = 10) -> JobPlan:
        """Show the next runs of a job's clock with their parameters, as if it were not paused."""
        with stores.reader.connect() as connection:
            show_job(connection, who, job)
            return JobPlan(runs=plan_runs(connection, job, count=count))

    @router.post("/jobs/{job}/pause")
    def pause_job(job: str, who: Operator) -> Job:
        """Pause a job's clock."""
        with stores.change(who) as connection:
            check_job(connection, who, job, Verb.CHANGE)
            return jobs.pause_job(connection, job, paused=True)

    @router.post("/jobs/{job}/resume")
    def resume_job(job: str, who: Operator) -> Job:
        """Let a job's clock go on from now."""
        with stores.change(who) as connection:
            check_job(connection, who, job, Verb.CHANGE)
            return jobs.pause_job(connection, job, paused=False)


def _add_run_orders(router: APIRouter, stores: Stores) -> None:
    @router.post("/jobs/{job}/runs", status_code=201, responses=SAME)
    def start_run(job: str, order: RunOrder, who: Operator, response: Response) -> RunDetails:
        """Start a run by hand; the same idempotency key gives the same run with 200.

        A person to whom the job was given may start it, but only with the job's own parameters.
        """
        check_space(stores.data.root, "A run")
        with stores.change(who) as connection:
            more = [Verb.CHOOSE] if order.parameters else []
            row = check_job(connection, who, job, Verb.CHANGE, *more)
            jobs.check_products(connection, row["collection"], row["owner"])
            run, new = runs.start_run(
                connection, job, occurrence=key_for_request(order.idempotency_key),
                parameters=order.parameters, by=who.account, partition=order.partition,
                data_day=order.data_day,
            )  # fmt: skip
        stores.ring()
        if new:
            _LOG.info("%s starts the run %s of the job %s.", who.account, run.id, job)
        response.status_code = 201 if new else 200
        return run

    @router.post("/runs/{run}/cancel")
    def cancel_run(run: str, who: Operator) -> RunDetails:
        """Cancel a run."""
        with stores.change(who) as connection:
            return runs.cancel_run(connection, check_run(connection, who, run, Verb.CHANGE)["id"])

    @router.post("/runs/{run}/retry")
    def retry_run(run: str, who: Operator) -> RunDetails:
        """Queue a failed or cancelled run again."""
        check_space(stores.data.root, "A run")
        with stores.change(who) as connection:
            row = check_run(connection, who, run, Verb.CHANGE)
            retried = runs.retry_run(connection, row["id"])
        stores.ring()
        return retried


def _add_runs(router: APIRouter, stores: Stores) -> None:
    @router.get("/runs")
    def list_runs(
        who: Visitor,
        job: str | None = None,
        status: RunStatus | None = None,
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> RunList:
        """List runs, newest first; `before` with a page's last run id gives the next page."""
        with stores.reader.connect() as connection:
            page = run_history.list_runs(
                connection, viewer=find_work_viewer(who), job=job, status=status, before=before,
                limit=limit,
            )  # fmt: skip
        return RunList(runs=page)

    @router.get("/runs/counts")
    def count_runs(who: Visitor, job: str | None = None) -> RunCounts:
        """Count runs by status, of all jobs that the asker sees or of one job."""
        with stores.reader.connect() as connection:
            counts = counting.count_runs(connection, viewer=find_work_viewer(who), job=job)
        return RunCounts(counts=counts)

    @router.get("/runs/{run}")
    def get_run(run: str, who: Visitor) -> RunDetails:
        """Show a run with its attempts and outputs."""
        with stores.reader.connect() as connection:
            details, reads_records = show_run(connection, who, run)
        if not reads_records:
            return details
        attempts = [
            attempt.model_copy(update={"files": _link_files(stores, details.id, attempt.epoch)})
            for attempt in details.attempts
        ]
        return details.model_copy(update={"attempts": attempts})


def _add_run_files(router: APIRouter, stores: Stores) -> None:
    @router.get("/runs/{run}/log", **sends("text/plain"))
    def get_run_log(
        run: str,
        who: Reader,
        start: Annotated[int, Query(alias="from", ge=0, lt=2**62)] = 0,
        epoch: ShownEpoch = None,
    ) -> Response:
        """Return a piece of a log; X-Next is the next piece's start, X-Epoch the attempt."""
        with stores.reader.connect() as connection:
            row = check_run(connection, who, run, Verb.READ_RECORDS)
        attempt = files.choose_attempt(row, epoch, published=False)
        folder = RunFolder(stores.objects, row["id"], attempt)
        content, following = files.read_log(folder, start)
        headers = {**SANDBOXED, "X-Next": str(following), "X-Epoch": str(attempt)}
        return Response(content, media_type=files.SHOWN[RunFile.LOG], headers=headers)

    @router.get(
        "/runs/{run}/files/{name}",
        **sends_files(
            {NOTEBOOK_TYPE: Notebook, "application/json": Manifest}, "text/html", "text/plain"
        ),
    )
    def get_run_file(run: str, name: str, who: Reader, epoch: ShownEpoch = None) -> Response:
        """Return a run's file, by default of the published attempt or else of the newest."""
        with stores.reader.connect() as connection:
            row = check_run(connection, who, run, Verb.READ_RECORDS)
        attempt = files.choose_attempt(row, epoch, published=True)
        folder = RunFolder(stores.objects, row["id"], attempt)
        file, media_type = files.open_shown(folder, name)
        pieces = files.read_pieces(file)
        return StreamingResponse(pieces, media_type=media_type, headers=SANDBOXED)


def _link_files(stores: Stores, run: str, epoch: int) -> list[str]:
    address = f"{API_PREFIX}/production/runs/{run}/files"
    names = files.list_shown(RunFolder(stores.objects, run, epoch))
    return [f"{address}/{name}?epoch={epoch}" for name in names]
