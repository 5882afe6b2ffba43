"""Many products registered at once in a bucket: few are copied at a time; all else goes on."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import httpx
import pytest
from tests.fault_proxy import FaultProxy, Request
from tests.platform_process import wait_until
from tests.served_api import ServedApi
from tests.served_bucket import write_product
from tests.stac_documents import make_collection

from skerry.catalog import settling
from skerry.storage.homes import HOMES

pytestmark = [pytest.mark.s3, pytest.mark.long]

FILES = {"product.zarr/c/0": b"0" * 1000, "product.zarr/c/1": b"1" * 1000}
REFUSED = 2
"""How many are refused of each person."""
OF_EACH = settling._OF_ACCOUNT + REFUSED
PEOPLE = ("alice", "bob")
COUNT = OF_EACH * len(PEOPLE)


def test_few_are_copied_at_a_time_some_wait_and_the_others_come_again(
    api: ServedApi, proxy: FaultProxy
) -> None:
    copied: set[str] = set()
    go_on, lock = Event(), Lock()

    def hold(request: Request) -> None:
        """Keep each copy at the door of the store."""
        if request.method == "PUT" and f"/{HOMES}" in request.path:
            with lock:
                copied.add(request.path.partition(f"/{HOMES}")[2].split("/")[1])
            go_on.wait(120)

    statuses: Counter[tuple[str, int]] = Counter()
    with api.client("alice-token") as alice, ThreadPoolExecutor(COUNT) as pool:
        alice.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        items: list[tuple[str, dict[str, object]]] = []
        for person in PEOPLE:
            with api.client(f"{person}-token") as client:
                items += [
                    (person, write_product(client, f"{person}-{number}", FILES)[1])
                    for number in range(OF_EACH)
                ]
        proxy.plan = hold

        def register(person: str, item: dict[str, object]) -> httpx.Response:
            with api.client(f"{person}-token") as client:
                client.timeout = httpx.Timeout(150)
                answer = client.post("stac/collections/lakes/items", json=item)
            with lock:
                statuses[person, answer.status_code] += 1
            return answer

        try:
            asked = []
            for person in PEOPLE:  # the first does not keep the second out
                asked += [pool.submit(register, *item) for item in items if item[0] == person]
                wait_until(
                    lambda person=person: statuses[person, 503] == REFUSED  # type: ignore[misc]
                    and len(copied) == settling._AT_ONCE, 60,
                    "as many as may be copied are", lambda: f"{statuses} {copied}",
                )  # fmt: skip
            # threads that answer everybody else are left
            assert alice.get("stac/search").json()["features"] == []
            assert len(copied) == settling._AT_ONCE
        finally:
            go_on.set()
        answers = [future.result() for future in asked]
        for person in PEOPLE:
            assert statuses[person, 201] == settling._OF_ACCOUNT
            assert statuses[person, 503] == REFUSED
        refused = [answer for answer in answers if answer.status_code == 503]
        for answer in refused:
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["title"] == "Busy"
        again = Counter(register(*item).status_code for item in items)
        assert again == {200: COUNT - len(refused), 201: len(refused)}
        found = alice.get("stac/search?limit=100").json()["features"]
        assert len(found) == len({item["id"] for item in found}) == COUNT


def test_refusals_do_not_wait_for_a_turn(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there already, or may not be registered, is answered at once."""
    with api.client("alice-token") as alice, api.client("bob-token") as bob:
        alice.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        _, there = write_product(alice, "there", FILES)
        _, new = write_product(alice, "new", FILES)
        path = "stac/collections/lakes/items"
        assert alice.post(path, json=there).status_code == 201

        monkeypatch.setattr(settling, "_OF_ACCOUNT", 0)
        assert alice.post(path, json=there).status_code == 200
        assert bob.post(path, json=new).status_code == 403
        assert alice.post(path, json=new).status_code == 503
