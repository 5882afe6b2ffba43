"""Grants over HTTP: who gets which prefix, and what a stranger is told."""

import httpx
import pytest
from tests.served_api import ServedApi
from tests.stac_documents import make_collection, make_item, write_bytes

WRITE = {"mode": "write", "purpose": "import"}


def test_a_write_grant_is_a_new_folder(api: ServedApi, alice: httpx.Client) -> None:
    first, second = (alice.post("grants", json=WRITE) for _ in range(2))
    assert first.status_code == 201
    grant = first.json()
    assert grant["prefix"] == f"imports/{grant['id']}/"
    assert grant["root"] == f"file://{api.data.objects}/"
    assert (grant["kind"], grant["access"]) == ("folder", None)
    assert grant["expires"].endswith("Z")
    assert (api.data.objects / grant["prefix"]).is_dir()
    assert second.json()["prefix"] != grant["prefix"]
    sandbox = alice.post("grants", json={"mode": "write", "purpose": "sandbox"}).json()
    assert sandbox["prefix"] == f"sandbox/alice/{sandbox['id']}/"


def test_writing_needs_the_scope(anonymous: httpx.Client, reader: httpx.Client) -> None:
    assert anonymous.post("grants", json=WRITE).status_code == 401
    assert reader.post("grants", json=WRITE).status_code == 403


def test_a_read_grant_follows_the_item(
    api: ServedApi, alice: httpx.Client, anonymous: httpx.Client, reader: httpx.Client
) -> None:
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json=WRITE).json()
    item = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, item)
    assert alice.post("stac/collections/lakes/items", json=item).status_code == 201
    body = {"mode": "read", "collection": "lakes", "item": "scene"}
    answer = reader.post("grants", json=body).json()
    assert answer["prefix"] == grant["prefix"]
    assert answer["root"] == f"file://{api.data.objects}/"
    assert anonymous.post("grants", json=body).status_code == 401
    alice.put("stac/collections/lakes", json=make_collection(public=True))
    stranger = anonymous.post("grants", json=body).json()
    assert stranger["root"] == f"{api.prefix}/files/"
    missing = {**body, "item": "none"}
    assert alice.post("grants", json=missing).status_code == 404


def test_giving_back_frees_bytes_that_no_item_uses(
    api: ServedApi, alice: httpx.Client, reader: httpx.Client
) -> None:
    grant = alice.post("grants", json=WRITE).json()
    folder = api.data.objects / grant["prefix"]
    (folder / "half.zarr").mkdir()
    with api.client("bob-token") as bob:
        assert bob.delete(f"grants/{grant['id']}").status_code == 404
    assert reader.delete(f"grants/{grant['id']}").status_code == 403
    assert folder.exists()
    assert alice.delete(f"grants/{grant['id']}").status_code == 204
    assert not folder.exists()
    assert alice.delete(f"grants/{grant['id']}").status_code == 404


def test_a_grant_ends_when_its_item_is_registered(api: ServedApi, alice: httpx.Client) -> None:
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json=WRITE).json()
    item = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, item)
    assert alice.post("stac/collections/lakes/items", json=item).status_code == 201
    assert alice.post("stac/collections/lakes/items", json=item).status_code < 300  # asked again
    assert alice.delete(f"grants/{grant['id']}").status_code == 404
    assert (api.data.objects / grant["prefix"]).exists()


def test_another_s_grant_gives_no_permission(api: ServedApi, alice: httpx.Client) -> None:
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json=WRITE).json()
    item = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, item)
    with api.client("bob-token") as bob:
        answer = bob.post("stac/collections/lakes/items", json=item)
    assert answer.status_code == 403
    assert grant["prefix"] in answer.json()["detail"]


@pytest.mark.parametrize("token", ["alice-token", "run-token"])
def test_a_run_s_folder_is_for_its_own_token(api: ServedApi, token: str) -> None:
    body = {"mode": "write", "purpose": "run", "run": "r1", "epoch": 1}
    with api.client(token) as client:
        assert client.post("grants", json=body).status_code == 403
    assert not (api.data.objects / "runs").exists()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "mode"),
        ({"mode": "write"}, "purpose"),
        ({"mode": "write", "purpose": "party"}, "party"),
        ({"mode": "write", "purpose": "run", "run": "r", "epoch": 0}, "0"),
        ({"mode": "read", "collection": "lakes"}, "item"),
        ({"mode": "write", "purpose": "import", "prefix": "/etc"}, "prefix"),
    ],
)
def test_a_bad_request_names_the_value(
    alice: httpx.Client, body: dict[str, object], named: str
) -> None:
    answer = alice.post("grants", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
