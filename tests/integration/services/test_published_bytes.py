"""Published bytes in a bucket stay as they are, whatever credentials their author still holds."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import obstore
import pytest
from obstore.exceptions import BaseError
from tests.fault_proxy import FaultProxy, Request, no_faults, serve_faults
from tests.minio_server import S3Server
from tests.served_api import ServedApi, serve_api
from tests.served_bucket import open_granted, serve_bucket_api, using_bucket, write_product
from tests.stac_documents import make_collection, make_item
from tests.unit.production.test_http import claim, make_job

from skerry.core.worker_settings import UpkeepSettings
from skerry.production.upkeep.pruning import Prune, Wish
from skerry.storage import bucket as buckets
from skerry.storage.database import database_url, open_database
from skerry.storage.homes import HOMES, find_written
from skerry.storage.object_places import open_objects
from skerry.storage.run_folder import find_attempt

pytestmark = [pytest.mark.s3, pytest.mark.long]
FILES = {f"product.zarr/c/{number} + ü": bytes([number]) * 1000 for number in range(40)}


@pytest.fixture(scope="module")
def api(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with serve_bucket_api(s3, s3.endpoint, tmp_path_factory.mktemp("bucket") / "data") as api:
        yield api


@pytest.fixture
def alice(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("alice-token") as client:
        client.put("stac/collections/lakes", json=make_collection())
        yield client


def register(client: httpx.Client, item: dict[str, Any]) -> httpx.Response:
    return client.post("stac/collections/lakes/items", json=item)


def list_below(api: ServedApi, prefix: str) -> list[str]:
    return sorted(file.key for file in open_objects(api.data).list_files(prefix))


def test_credentials_of_the_author_change_nothing_that_is_served(
    alice: httpx.Client, api: ServedApi
) -> None:
    grant, item = write_product(alice, "kept", FILES)
    registered = register(alice, item)
    assert registered.status_code == 201
    home = registered.json()["properties"]["skerry:prefix"]
    assert (home[: len(HOMES)], find_written(home)) == (HOMES, grant["prefix"])
    assert list_below(api, home) == sorted(home + name for name in FILES)
    assert list_below(api, grant["prefix"]) == []
    store = open_granted(grant)
    for name, content in FILES.items():
        with pytest.raises(BaseError, match="AccessDenied"):
            obstore.put(store, home + name, b"others")
        with pytest.raises(BaseError, match="AccessDenied"):
            obstore.delete(store, home + name)
        obstore.put(store, grant["prefix"] + name, b"others")
        served = alice.get(f"files/{home}{name}")
        assert (served.status_code, served.content) == (200, content)
    shown = alice.get("stac/collections/lakes/items/kept").json()
    assert alice.get(shown["assets"]["product"]["href"]).content == FILES[min(FILES)]
    assert open_objects(api.data).digest(home) == item["properties"]["skerry:digest"]
    assert alice.get(f"files/{grant['prefix']}{min(FILES)}").status_code == 404


def test_a_repeated_registration_gives_the_item_that_is_there(
    alice: httpx.Client, api: ServedApi
) -> None:
    grant, item = write_product(alice, "twice", FILES)
    first, second = (register(alice, item) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    home = first.json()["properties"]["skerry:prefix"]
    assert second.json()["properties"]["skerry:prefix"] == home
    assert list_below(api, f"{HOMES}{grant['prefix']}") == sorted(home + name for name in FILES)


def test_a_writer_during_the_copy_spoils_the_registration_or_nothing(
    alice: httpx.Client, api: ServedApi
) -> None:
    objects, seen = open_objects(api.data), set()
    for number in range(6):
        grant, item = write_product(alice, f"hammered-{number}", FILES)
        store, over, begun = open_granted(grant), Event(), Event()

        def hammer(store: Any = store, prefix: str = grant["prefix"], over: Event = over,
                   begun: Event = begun) -> None:  # fmt: skip
            for turn in count():
                for name in FILES:
                    obstore.put(store, prefix + name, f"{turn}".encode())
                    begun.set()
                    if over.is_set():
                        return

        writer = Thread(target=hammer)
        writer.start()
        if number:  # the first registration races with the first bytes
            begun.wait(60)
        answer = register(alice, item)
        over.set()
        writer.join()
        seen.add(answer.status_code)
        if answer.status_code == 201:
            home = answer.json()["properties"]["skerry:prefix"]
            assert objects.digest(home) == item["properties"]["skerry:digest"]
        else:
            assert answer.status_code == 422
            assert "have the digest" in answer.json()["detail"]
            assert list_below(api, f"{HOMES}{grant['prefix']}") == []
            assert alice.get(f"stac/collections/lakes/items/{item['id']}").status_code == 404
    assert 422 in seen


def test_others_cannot_have_bytes_copied(alice: httpx.Client, api: ServedApi) -> None:
    grant, item = write_product(alice, "others", FILES)
    with api.client("bob-token") as bob:
        assert register(bob, item).status_code == 403
    assert list_below(api, f"{HOMES}{grant['prefix']}") == []


def test_large_files_are_copied_in_parts(
    alice: httpx.Client, api: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "LARGEST_COPY", 2**20)
    files = {"product.tif": bytes(range(256)) * 2**15, "small": b"s", "empty": b""}
    _, item = write_product(alice, "large", files)
    answer = register(alice, item)
    assert answer.status_code == 201
    home = answer.json()["properties"]["skerry:prefix"]
    assert open_objects(api.data).read(f"{home}product.tif") == files["product.tif"]


SERVE = """
import sys
from pathlib import Path
from tests.served_api import serve_api
with serve_api(Path(sys.argv[1])) as api:
    print(api.prefix, flush=True)
    sys.stdin.read()
"""
MOMENTS = {
    "before the first copy": ("PUT", "/published/", 1),
    "between copies": ("PUT", "/published/", 20),
    "while copies are read": ("GET", "/published/", 10),
    "while the old bytes go": ("POST", "delete", 1),
}


def register_and_kill(proxy: FaultProxy, data: Path, name: str, moment: str) -> dict[str, Any]:
    """Register a product at an api of its own, which is killed at a moment; return the item."""
    method, word, which = MOMENTS[moment]
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        headers = {"Authorization": "Bearer alice-token"}
        address = process.stdout.readline().strip()
        with httpx.Client(base_url=f"{address}/", headers=headers, timeout=60) as client:
            client.put("stac/collections/lakes", json=make_collection())
            _, item = write_product(client, name, FILES)
            left = count(which, -1)

            def kill(request: Request) -> None:
                if request.method == method and word in request.path and next(left) == 1:
                    process.kill()

            proxy.plan = kill
            with pytest.raises(httpx.TransportError):
                register(client, item)
        proxy.plan = no_faults
        assert process.wait(60) == -9
    return item


def test_a_killed_api_publishes_whole_products_or_none(s3: S3Server, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serve_faults(s3.endpoint) as proxy, using_bucket(s3, proxy.endpoint):
        items = {
            moment: register_and_kill(proxy, data, f"killed-{number}", moment)
            for number, moment in enumerate(MOMENTS)
        }
        with serve_api(data) as api, api.client("alice-token") as client:
            objects = open_objects(api.data)
            for moment, item in items.items():
                there = client.get(f"stac/collections/lakes/items/{item['id']}")
                is_done = moment == "while the old bytes go"
                assert there.status_code == (200 if is_done else 404), moment
                again = register(client, item)
                assert again.status_code == (200 if is_done else 201), moment
                home = again.json()["properties"]["skerry:prefix"]
                assert objects.digest(home) == item["properties"]["skerry:digest"], moment
            kept = list_below(api, HOMES)
            assert len(kept) > len(MOMENTS) * len(FILES)  # what the killed api left
            expire_grants(api)
            settings = UpkeepSettings.from_environment()
            Prune(api.data, Wish(do=True, settings=settings)).carry_out()
            assert len(list_below(api, HOMES)) == len(MOMENTS) * len(FILES)
            assert list_below(api, "imports/") == []


def expire_grants(api: ServedApi) -> None:
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE grants SET expires = 1")
    engine.dispose()


def test_a_run_publishes_copies_and_keeps_its_log(alice: httpx.Client, api: ServedApi) -> None:
    make_job(alice)
    run = alice.post("production/jobs/lakes/runs", json={}).json()["id"]
    epoch = claim(api, run)
    with api.client("run-token") as process:
        asked = {"mode": "write", "purpose": "run", "run": run, "epoch": epoch}
        grant = process.post("grants", json=asked).json()
        store, prefix = open_granted(grant), f"{grant['prefix']}products/field/"
        for name, content in FILES.items():
            obstore.put(store, prefix + name, content)
        obstore.put(store, f"{grant['prefix']}log.txt", b"log")
        digest = open_objects(api.data).digest(prefix)
        item = make_item("field", prefix=prefix)
        item["assets"] = {"product": {"href": f"{prefix}{min(FILES)}", "roles": ["data"]}}
        outputs = [{"output": "field", "item": item, "digest": digest}]
        told = [{"output": "field", "digest": digest}]
        body = {"outputs": outputs, "manifest": {"run": run, "epoch": epoch, "outputs": told}}
        path = f"production/runs/{run}/attempts/{epoch}/publish"
        answers = [process.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    [output] = answers[1].json()["outputs"]
    shown = alice.get(f"stac/collections/{output['collection']}/items/{output['item']}").json()
    home = shown["properties"]["skerry:prefix"]
    assert (find_written(home), find_attempt(home)) == (prefix, (run, epoch))
    obstore.put(store, f"{prefix}{min(FILES)}", b"others")
    assert open_objects(api.data).digest(home) == digest
    assert list_below(api, f"runs/{run}/") == [f"{grant['prefix']}log.txt", prefix + min(FILES)]
