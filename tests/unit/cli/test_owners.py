"""`skerry share`, and the commands that say to whom a thing belongs, against a served api."""

from collections.abc import Iterator
from datetime import date, timedelta

import httpx
import pytest
from click.testing import CliRunner
from tests.served_api import ServedApi
from tests.stac_documents import make_collection
from tests.unit.production.conftest import make_notebook

from skerry.cli import jobs, releases, runs
from skerry.cli.catalog import collection_group
from skerry.cli.sharing import share
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import ForbiddenError, InvalidInputError, NotFoundError
from skerry.core.scopes import OPERATOR, REVIEWER, SCIENTIST


@pytest.fixture
def api(api: ServedApi) -> ServedApi:
    for name in ("ann", "bob"):
        api.book.tokens[name] = (name, SCIENTIST | REVIEWER | OPERATOR)
    api.book.groups = {"ann": frozenset({"lakes"})}
    return api


@pytest.fixture
def ann(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """Return Ann's client; the commands are hers, too."""
    with (
        Session(Login(url=api.url, token="ann", user="ann")) as session,
        api.client("ann") as client,
    ):
        for module in ("skerry.client.session", "skerry.cli.jobs", "skerry.cli.releases"):
            monkeypatch.setattr(f"{module}.connect", lambda: session)
        client.put("stac/collections/bay", json=make_collection("bay")).raise_for_status()
        yield client


def call(command: object, *words: str) -> str:
    done = CliRunner().invoke(command, words, catch_exceptions=False)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.output


def test_a_collection_is_owned_given_listed_and_taken_back(
    api: ServedApi, ann: httpx.Client
) -> None:
    assert call(collection_group, "own", "bay", "person:ann") == "bay belongs to person:ann\n"
    with api.client("bob") as bob:
        assert bob.get("stac/collections/bay").status_code == 404
        said = call(share, "bay", "person:Bob")
        assert said.startswith("person:bob may see bay\n")
        assert "The hub does not answer, so nobody has checked whether person:bob is there." in said
        assert bob.get("stac/collections/bay").status_code == 200
        assert "person:bob may change bay\n" in call(share, "bay", "person:bob", "--change")
        assert "person:bob  change" in call(share, "bay")
        call(share, "bay", "person:bob", "--remove")
        assert bob.get("stac/collections/bay").status_code == 404


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (("bay", "bob"), InvalidInputError, "person:<name>"),
        (("bay", "--change"), InvalidInputError, "--change"),
        (("bay", "person:bob", "--change", "--remove"), InvalidInputError, "exclude"),
        (("gone", "person:bob"), NotFoundError, "gone"),
    ],
)
def test_a_wrong_share_is_refused(
    ann: httpx.Client, words: tuple[str, ...], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        call(share, *words)
    assert ann.get("shares/bay").json()["shares"] == []


def test_nothing_is_given_to_an_owner_for_whom_one_does_not_speak(ann: httpx.Client) -> None:
    with pytest.raises(ForbiddenError, match="project:rivers"):
        call(collection_group, "own", "bay", "project:rivers")


def test_releases_and_jobs_say_to_whom_they_belong(ann: httpx.Client) -> None:
    body = {"name": "water", "notebook": make_notebook()}
    release = ann.post("production/releases", json=body).json()["id"]
    said = call(releases.release, "own", release, "project:lakes")
    assert said == f"The release {release} belongs to project:lakes.\n"
    assert "project:lakes" in call(releases.release, "show", release)
    call(releases.release, "approve", release, "--self")
    made = call(jobs.job, "create", "bay", "--release", release, "--owner", "person:ann")
    assert "person:ann" in made
    said = call(jobs.job, "own", "bay", "project:lakes")
    assert said == "The job bay and its runs belong to project:lakes.\n"
    with pytest.raises(ForbiddenError):
        call(jobs.job, "own", "bay", "person:bob")


def test_whom_a_job_is_given_starts_it_without_its_release_and_chooses_no_parameters(
    api: ServedApi, ann: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "water", "notebook": make_notebook(), "owner": "person:ann"}
    release = ann.post("production/releases", json=body).json()["id"]
    call(releases.release, "approve", release, "--self")
    call(jobs.job, "create", "daily", "--release", release, "--owner", "person:ann")
    for verb in (["--change"], []):
        call(share, "daily", "person:bob", "--kind", "job", *verb)
        with Session(Login(url=api.url, token="bob", user="bob")) as session:
            monkeypatch.setattr(runs, "connect", lambda: session)
            with pytest.raises(ForbiddenError, match="choose the parameters"):
                call(runs.run, "start", "daily", "-p", "tile=33VVC")
            if verb:
                assert "queued" in call(runs.run, "start", "daily")
            else:
                with pytest.raises(ForbiddenError, match="may not change"):
                    call(runs.run, "start", "daily")


def test_a_job_s_plan_is_shown_to_those_who_see_the_job(
    api: ServedApi, ann: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = make_notebook("day: date\nn: int = 4", imports="date")
    body = {"name": "water", "notebook": notebook, "owner": "person:ann"}
    release = ann.post("production/releases", json=body).json()["id"]
    call(releases.release, "approve", release, "--self")
    clock = ("--cron", "0 5 * * 1", "-p", "day={{ day - 1w }}")
    call(jobs.job, "create", "bay", "--release", release, "--owner", "person:ann", *clock)
    head, *rows = call(jobs.job, "plan", "bay", "--count", "3").splitlines()
    assert head.split() == ["TICK", "DATA", "DAY", "PARAMETERS"]
    ticks = [row.split() for row in rows]
    assert len(ticks) == 3
    for tick, day, value, number in ticks:
        assert (tick, number) == (f"{day}T05:00:00Z", "n=4")
        week = timedelta(weeks=1)
        assert value == f"day={date.fromisoformat(day) - week}"
    with Session(Login(url=api.url, token="bob", user="bob")) as session:
        monkeypatch.setattr(jobs, "connect", lambda: session)
        with pytest.raises(NotFoundError, match="bay"):
            call(jobs.job, "plan", "bay")
    assert ann.get("production/jobs/bay/plan?count=101").status_code == 422
