"""An object store that answers late: what does not need it goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
from tests.fault_proxy import FaultProxy, Request, no_faults, serve_faults
from tests.minio_server import S3Server
from tests.platform_process import wait_until
from tests.served_api import ServedApi
from tests.served_bucket import serve_bucket_api, write_product
from tests.stac_documents import make_collection

from skerry.storage.s3 import connect

pytestmark = [pytest.mark.s3, pytest.mark.long]

READERS = 24
"""More than a process has connections to its database, fewer than it has threads."""


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with serve_faults(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def api(s3: S3Server, proxy: FaultProxy, tmp_path: Path) -> Iterator[ServedApi]:
    with serve_bucket_api(s3, proxy.endpoint, tmp_path / "data") as api:
        yield api


def test_searches_are_answered_while_files_wait_for_the_store(
    api: ServedApi, proxy: FaultProxy
) -> None:
    """Nobody keeps a connection to the database while the store is asked for a file."""
    asked: list[Request] = []
    go_on = Event()

    def hold(request: Request) -> None:
        if request.method == "HEAD":
            asked.append(request)
            go_on.wait(60)

    with api.client("alice-token") as alice:
        alice.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        _, item = write_product(alice, "scene", {"quicklook.png": b"12345"})
        answer = alice.post("stac/collections/lakes/items", json=item)
        assert answer.status_code == 201, answer.text
        href = answer.json()["assets"]["product"]["href"]

        def read(_: int) -> httpx.Response:
            headers = {"Authorization": "Bearer alice-token"}
            return httpx.get(href, headers=headers, trust_env=False, timeout=90)

        proxy.plan = hold
        with ThreadPoolExecutor(READERS) as pool:
            waiting = pool.map(read, range(READERS))
            try:
                wait_until(lambda: len(asked) >= READERS, 20, "all readers wait for the store")
                found = alice.get("stac/search", params={"collections": "lakes"})
            finally:
                go_on.set()
                proxy.plan = no_faults
            assert [answer.content for answer in waiting] == [b"12345"] * READERS
        assert [entry["id"] for entry in found.json()["features"]] == ["scene"]


def test_others_write_at_each_request_of_a_registration(api: ServedApi, proxy: FaultProxy) -> None:
    """A registration asks the store for nothing while the platform's other writers wait for it."""
    answers: list[tuple[str, int]] = []

    with api.client("alice-token") as alice, api.client("alice-token") as other:

        def write(request: Request) -> None:
            answer = other.put("stac/collections/rivers", json=make_collection("rivers"))
            answers.append((f"{request.method} {request.path}", answer.status_code))

        alice.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        other.put("stac/collections/rivers", json=make_collection("rivers")).raise_for_status()
        names = ["first", "second", "third"]
        _, item = write_product(alice, "scene", dict.fromkeys(names, b"12345"))
        prefix = item["properties"]["skerry:prefix"]
        item["assets"] = {name: {"href": f"{prefix}{name}"} for name in names}
        proxy.plan = write
        answer = alice.post("stac/collections/lakes/items", json=item)
        proxy.plan = no_faults
    assert answer.status_code == 201, answer.text
    assert any("/published/" in request for request, _ in answers)
    assert {status for _, status in answers} == {200}, answers


def test_an_asset_without_bytes_is_refused(api: ServedApi) -> None:
    with api.client("alice-token") as alice:
        alice.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        _, item = write_product(alice, "scene", {"first": b"12345"})
        prefix = item["properties"]["skerry:prefix"]
        item["assets"] = {name: {"href": f"{prefix}{name}"} for name in ("first", "firs")}
        answer = alice.post("stac/collections/lakes/items", json=item)
    assert answer.status_code == 422, answer.text
    assert "'firs'" in answer.text


def test_nobody_without_login_learns_where_the_bytes_are(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing store is told of to everybody; its address only to those who have an account."""
    with api.client("alice-token") as alice, api.client(None) as nobody:
        opened = {**make_collection(), "skerry:public": True}
        alice.put("stac/collections/lakes", json=opened).raise_for_status()
        _, item = write_product(alice, "scene", {"quicklook.png": b"12345"})
        answer = alice.post("stac/collections/lakes/items", json=item)
        href = answer.json()["assets"]["product"]["href"]
        assert nobody.get(href).content == b"12345"
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the key's secret")
        connect.cache_clear()
        told = alice.get(href)
        assert told.status_code == 503
        assert "The object store s3://" in told.json()["detail"]
        for path, fault in ((href, "answers 403"), ("ready", "refuses the key's secret.")):
            answer = nobody.get(path)
            assert answer.status_code == 503
            assert f"The object store {fault}" in answer.json()["detail"]
            assert "s3:" not in answer.text
