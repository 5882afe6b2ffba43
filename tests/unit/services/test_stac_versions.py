"""Publishing and withdrawing versions over HTTP and by the command line, and who may."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlalchemy import Engine
from tests.served_api import TOKENS, ServedApi
from tests.stac_documents import insert_written, make_collection, make_item

from skerry.catalog.collections import put_collection
from skerry.cli.main import run
from skerry.core.scopes import ADMIN, Scope
from skerry.models.versions import VersionStatus
from skerry.storage.database import database_url, open_database

REASON = {"reason": "wrong calibration"}
VERSIONS = "stac/collections/lakes/items/scene/versions"


@pytest.fixture
def engine(api: ServedApi) -> Iterator[Engine]:
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        for name in ("lakes", "sandbox-bob"):
            put_collection(connection, make_collection(name), name, owner="bob")
    yield engine
    engine.dispose()


@pytest.fixture
def insert(engine: Engine) -> Callable[..., None]:
    def add(number: int, status: VersionStatus, collection: str = "lakes") -> None:
        item = make_item("scene", prefix=f"runs/r{number}/1/products/t/", content=str(number))
        with engine.begin() as connection:
            insert_written(
                connection, item, collection=collection, status=status, owner="p",
                run=f"r{number}", output="t",
            )  # fmt: skip

    return add


def read_statuses(answer: httpx.Response) -> dict[int, str]:
    assert answer.status_code == 200, answer.text
    return {item["version"]: item["status"] for item in answer.json()["versions"]}


def check_problem(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["remedy"]
    assert all(word in body["detail"] for word in words), body["detail"]


def test_a_preliminary_version_is_published_and_withdrawn(
    alice: httpx.Client, insert: Callable[..., None]
) -> None:
    insert(1, VersionStatus.PUBLISHED)
    insert(2, VersionStatus.PRELIMINARY)
    assert read_statuses(alice.get(VERSIONS)) == {2: "preliminary", 1: "published"}
    for _ in range(2):  # a repeat changes nothing
        answer = alice.post(f"{VERSIONS}/2/publish")
        assert read_statuses(answer) == {2: "published", 1: "superseded"}
    for _ in range(2):
        answer = alice.post(f"{VERSIONS}/2/withdraw", json=REASON)
        assert read_statuses(answer) == {2: "withdrawn", 1: "superseded"}
    [newest, _] = answer.json()["versions"]
    assert (newest["run"], newest["owner"]) == ("r2", "p")


def test_what_cannot_be_decided_is_refused_with_a_problem(
    alice: httpx.Client, insert: Callable[..., None]
) -> None:
    insert(1, VersionStatus.PRELIMINARY)
    insert(2, VersionStatus.PUBLISHED)
    check_problem(alice.post(f"{VERSIONS}/1/publish"), 409, "Version 1", "superseded")
    alice.post(f"{VERSIONS}/2/withdraw", json=REASON).raise_for_status()
    check_problem(alice.post(f"{VERSIONS}/2/publish"), 409, "Version 2", "withdrawn")
    for decision, body in (("publish", None), ("withdraw", REASON)):
        answer = alice.post(f"{VERSIONS}/7/{decision}", json=body)
        check_problem(answer, 404, "version 7", "'scene'")
        for wrong in ("0", "-1", "two", "99999999999"):
            check_problem(alice.post(f"{VERSIONS}/{wrong}/{decision}", json=body), 422, wrong)
    missing = VERSIONS.replace("scene", "nothing")
    check_problem(alice.get(missing), 404, "'nothing'")
    check_problem(alice.post(f"{missing}/1/publish"), 404, "'nothing'")


def test_only_reviewers_decide(api: ServedApi, insert: Callable[..., None]) -> None:
    insert(1, VersionStatus.PRELIMINARY)
    api.book.tokens["scopes-token"] = ("ann", ADMIN - {Scope.CATALOG_REVIEW})
    for token in (None, *TOKENS, "scopes-token"):
        may = token is not None and Scope.CATALOG_REVIEW in api.book.tokens[token][1]
        with api.client(token) as client:
            for decision in ("publish", "withdraw"):
                answer = client.post(
                    f"{VERSIONS}/1/{decision}", json=REASON if decision == "withdraw" else None
                )
                if may:
                    assert answer.status_code in {200, 409}
                else:
                    check_problem(answer, 401 if token is None else 403)


def test_another_persons_sandbox_is_theirs(
    alice: httpx.Client, insert: Callable[..., None]
) -> None:
    insert(1, VersionStatus.PUBLISHED, "sandbox-bob")
    path = VERSIONS.replace("lakes", "sandbox-bob")
    check_problem(alice.post(f"{path}/1/withdraw", json=REASON), 403, "sandbox-bob")


def test_the_command_chooses_the_version_unless_it_is_named(
    api: ServedApi,
    insert: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SKERRY_URL", api.url)
    monkeypatch.setenv("SKERRY_TOKEN", "alice-token")
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")

    def call(*words: str) -> dict[int, str]:
        assert run(["item", *words, "--json"]) == 0
        return {item["version"]: item["status"] for item in json.loads(capsys.readouterr().out)}

    insert(1, VersionStatus.PUBLISHED)
    insert(2, VersionStatus.PRELIMINARY)
    assert call("publish", "lakes/scene") == {2: "published", 1: "superseded"}
    insert(3, VersionStatus.PRELIMINARY)
    after = {3: "withdrawn", 2: "published", 1: "superseded"}
    why = ("--reason", "wrong calibration")
    assert call("withdraw", "lakes/scene", "--version", "3", *why) == after
    assert call("withdraw", "lakes/scene", *why) == {**after, 2: "withdrawn"}
    assert run(["item", "publish", "lakes/scene"]) == 2
    assert "lakes/scene has no preliminary version." in capsys.readouterr().err
    assert run(["item", "withdraw", "lakes/scene", "--version", "9", *why]) == 2
    assert "There is no version 9 of lakes/scene." in capsys.readouterr().err
    assert run(["item", "publish", "lakes/scene", "--version", "1"]) == 2
    assert "Version 1 of 'scene' in 'lakes' is superseded." in capsys.readouterr().err
    assert run(["item", "versions", "lakes/scene"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "VERSION", "STATUS", "CREATED", "OWNER", "RUN", "BYTES", "REASON"
    ]  # fmt: skip
