"""Searches of production follow the table of rules, on both databases: relation by relation."""

import itertools

import pytest
from sqlalchemy import Engine, update

from skerry.core.ownership import ANONYMOUS, KEEPER, Relation, Verb, Viewer, decide, relate
from skerry.models.jobs import JobOrder
from skerry.models.runs import RunStatus
from skerry.production import jobs, releases
from skerry.production.counting import count_runs
from skerry.production.run_history import list_runs
from skerry.production.runs import start_run
from skerry.production.tables import JOB_SHARES, RELEASE_SHARES, runs
from skerry.production.tables import releases as release_rows

OWNERS = ("person:ann", "project:lakes")
GIVEN: tuple[dict[str, Verb], ...] = ({}, {"person:bob": Verb.SEE}, {"project:sea": Verb.CHANGE})
VIEWERS = {
    "ann": Viewer(frozenset({"person:ann"})),
    "bob": Viewer(frozenset({"person:bob", "project:sea"})),
    "zoe": Viewer(frozenset({"project:lakes"})),
    "anonymous": ANONYMOUS,
    "keeper": KEEPER,
}


@pytest.mark.parametrize("name", VIEWERS)
def test_lists_and_counts_show_what_the_rules_allow(
    engine: Engine, release: str, name: str
) -> None:
    viewer = VIEWERS[name]
    seen_jobs, seen_runs, hidden_words = set(), set(), set()
    with engine.begin() as connection:
        for n, (owner, shares, public) in enumerate(
            itertools.product(OWNERS, GIVEN, (True, False))
        ):
            order = JobOrder(name=f"j{n}", release=release, parameters={"minute": 1})
            jobs.create_job(connection, order, by="ann", owner=owner)
            jobs.open_job(connection, order.name, public=public)
            for holder, verb in shares.items():
                JOB_SHARES.give(connection, order.name, holder, verb)
            relation = relate(viewer, owner, public=public, shares=shares)
            if relation is not Relation.NONE:
                seen_jobs.add(order.name)
            for status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
                run, _ = start_run(
                    connection, order.name, occurrence=f"manual/{status}", parameters={}, by="ann"
                )
                end = update(runs).where(runs.c.id == run.id)
                connection.execute(end.values(status=status.value, detail="words"))
                verb = Verb.SEE_PUBLISHED if status is RunStatus.SUCCEEDED else Verb.SEE
                if decide(relation, verb):
                    seen_runs.add(run.id)
                    if not decide(relation, Verb.SEE):
                        hidden_words.add(run.id)
        assert {job.name for job in jobs.list_jobs(connection, viewer=viewer)} == seen_jobs
        shown = list_runs(connection, viewer=viewer, limit=1000)
        assert {run.id for run in shown} == seen_runs
        assert {run.id for run in shown if run.detail is None} == hidden_words
        assert sum(count_runs(connection, viewer=viewer).values()) == len(seen_runs)


def test_releases_show_what_the_rules_allow(engine: Engine, release: str) -> None:
    with engine.begin() as connection:
        own = update(release_rows).where(release_rows.c.id == release)
        connection.execute(own.values(owner="person:ann"))

        def list_seen() -> set[str]:
            return {
                name for name, viewer in VIEWERS.items()
                if releases.list_releases(connection, viewer=viewer)
            }  # fmt: skip

        assert list_seen() == {"ann", "keeper"}
        RELEASE_SHARES.give(connection, release, "project:sea", Verb.SEE)
        assert list_seen() == {"ann", "keeper", "bob"}
        found = releases.get_release(connection, release)
        releases.open_release(connection, found, public=True)
        assert list_seen() == set(VIEWERS)
        connection.execute(own.values(status="proposed"))
        assert list_seen() == {"ann", "keeper", "bob"}
        connection.execute(own.values(status="approved"))
        RELEASE_SHARES.take_back(connection, release, "project:sea")
        releases.open_release(connection, found, public=False)
        assert list_seen() == {"ann", "keeper"}
