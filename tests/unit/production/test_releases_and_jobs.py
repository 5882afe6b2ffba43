"""Releases are decided once and stay as they are; jobs need approved ones."""

import pytest
from sqlalchemy import Engine
from tests.unit.production.conftest import propose

from skerry.core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from skerry.core.ownership import KEEPER
from skerry.models.jobs import JobOrder
from skerry.production import jobs, releases
from skerry.production.occurrences import key_for_request
from skerry.production.run_history import get_run
from skerry.production.runs import cancel_run, start_run


def test_proposer_approves_only_with_the_word_for_it(engine: Engine) -> None:
    release_id = propose(engine)
    with engine.begin() as connection, pytest.raises(ConflictError, match="proposed by ada too"):
        releases.approve_release(connection, release_id, by="ada", own=False)
    with engine.begin() as connection:
        approved = releases.approve_release(connection, release_id, by="ada", own=True)
    assert (approved.status, approved.self_approved) == ("approved", True)


def test_another_approver_is_not_a_self_approval(engine: Engine) -> None:
    release_id = propose(engine)
    with engine.begin() as connection:
        approved = releases.approve_release(connection, release_id, by="bob", own=True)
    assert (approved.decided_by, approved.self_approved) == ("bob", False)


def test_a_decision_is_made_once(engine: Engine, release: str) -> None:
    with engine.begin() as connection, pytest.raises(ConflictError, match="approved already"):
        releases.reject_release(connection, release, by="bob")


def test_a_name_means_the_newest_approved_one(engine: Engine, release: str) -> None:
    newer = propose(engine)
    with engine.begin() as connection:
        assert releases.get_release(connection, "water").id == release
        releases.approve_release(connection, newer, by="bob", own=False)
        assert releases.get_release(connection, "water").id == newer
        with pytest.raises(NotFoundError):
            releases.get_release(connection, "fire")


def test_jobs_need_an_approved_release(engine: Engine) -> None:
    order = JobOrder(name="lakes", release=propose(engine))
    with engine.begin() as connection, pytest.raises(ConflictError, match="proposed, not approved"):
        jobs.create_job(connection, order, by="ada")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"parameters": {"hour": 1}}, "'hour'"),
        ({"parameters": {"minute": "x"}}, "'minute'"),
        ({"trigger": {"kind": "clock", "cron": "x"}}, "'x'"),
        ({"name": "a/b"}, "'a/b'"),
        ({"collection": "../up"}, "'../up'"),
        ({"collection": "sandbox-bob"}, "'sandbox-bob'"),
    ],
)
def test_bad_orders_are_refused_by_name(
    engine: Engine, release: str, change: dict[str, object], named: str
) -> None:
    order = JobOrder.model_validate({"name": "lakes", "release": release, **change})
    refusals = (InvalidInputError, ForbiddenError)
    with engine.begin() as connection, pytest.raises(refusals) as caught:
        jobs.create_job(connection, order, by="ada")
    assert named in caught.value.what
    with engine.begin() as connection:
        assert jobs.list_jobs(connection, viewer=KEEPER) == []


def test_a_clock_needs_every_parameter_and_a_start_by_hand_does_not(engine: Engine) -> None:
    release_id = propose(engine, parameters="item: str\nn: int = 1")
    with engine.begin() as connection:
        releases.approve_release(connection, release_id, by="bob", own=False)
        by_hand = JobOrder(name="hand", release=release_id, parameters={"n": 2})
        jobs.create_job(connection, by_hand, by="ada")
        clock = {"kind": "clock", "cron": "0 5 * * *", "timezone": "Europe/Helsinki"}
        order = JobOrder.model_validate({"name": "clock", "release": release_id, "trigger": clock})
        with pytest.raises(InvalidInputError, match="'item' has no value"):
            jobs.create_job(connection, order, by="ada")
        order = order.model_copy(update={"parameters": {"item": "a"}})
        assert jobs.create_job(connection, order, by="ada").next_tick is not None


def test_names_of_jobs_are_taken_once(engine: Engine, release: str, job: str) -> None:
    with engine.begin() as connection, pytest.raises(ConflictError, match="'lakes' already"):
        jobs.create_job(connection, JobOrder(name=job, release=release), by="ada")


def test_deleting(engine: Engine, release: str, job: str) -> None:
    with engine.begin() as connection:
        run, _ = start_run(
            connection, job, occurrence=key_for_request("k"), parameters={}, by="ada"
        )
        with pytest.raises(ConflictError, match="under way"):
            jobs.delete_job(connection, job, history=False)
        with pytest.raises(ConflictError, match="used by jobs"):
            releases.delete_release(connection, release)
        cancel_run(connection, run.id)
        assert jobs.delete_job(connection, job, history=True) == [run.id]
        with pytest.raises(NotFoundError):
            get_run(connection, run.id)
        releases.delete_release(connection, release)
        assert releases.list_releases(connection, viewer=KEEPER) == []
