"""Grants of a platform whose objects are in a bucket: credentials for one prefix, renewed."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import obstore
import pytest
from obstore.exceptions import BaseError
from tests.fault_proxy import Fault, FaultProxy, first, no_faults
from tests.served_api import ServedApi
from tests.served_bucket import WRITE, open_granted
from tests.stac_documents import make_collection, make_item

from skerry.client.grants import grant_reading
from skerry.client.login import Login
from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.core.errors import NotFoundError, WithdrawnError
from skerry.core.time import utc_now
from skerry.models.grants import Grant
from skerry.storage import granted as granted_module
from skerry.storage.database import database_url, open_database
from skerry.storage.granted import renew_access
from skerry.storage.object_places import open_objects

pytestmark = [pytest.mark.s3, pytest.mark.long]


@pytest.fixture
def alice(api: ServedApi, proxy: FaultProxy) -> Iterator[httpx.Client]:
    with api.client("alice-token") as client:
        yield client
    proxy.plan = no_faults


def test_a_write_grant_has_credentials_for_its_prefix(alice: httpx.Client) -> None:
    first_grant, second = (alice.post("grants", json=WRITE).json() for _ in range(2))
    assert first_grant["kind"] == "credentials"
    assert first_grant["root"].endswith("/skerry/")
    store = open_granted(first_grant)
    obstore.put(store, f"{first_grant['prefix']}product", b"bytes")
    assert bytes(obstore.get(store, f"{first_grant['prefix']}product").bytes()) == b"bytes"
    for key in (f"{second['prefix']}product", "imports/product"):
        with pytest.raises(BaseError, match="AccessDenied"):
            obstore.put(store, key, b"bytes")


def test_a_read_grant_reads_its_item_alone(alice: httpx.Client, api: ServedApi) -> None:
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json=WRITE).json()
    item = make_item(prefix=grant["prefix"])
    for asset in item["assets"].values():
        obstore.put(open_granted(grant), asset["href"], b"bytes")
    item["properties"]["skerry:digest"] = open_objects(api.data).digest(grant["prefix"])
    registered = alice.post("stac/collections/lakes/items", json=item)
    assert registered.status_code == 201
    home = registered.json()["properties"]["skerry:prefix"]
    with api.client("reader-token") as reader:
        body = {"mode": "read", "collection": "lakes", "item": "scene"}
        reading = reader.post("grants", json=body).json()
    assert (reading["kind"], reading["prefix"]) == ("credentials", home)
    store = open_granted(reading)
    listed = obstore.list(store, prefix=home).collect()
    assert listed
    assert bytes(obstore.get(store, listed[0]["path"]).bytes())
    with pytest.raises(BaseError, match="AccessDenied"):
        obstore.put(store, f"{home}more", b"no")


def test_credentials_are_renewed_for_the_holder_alone(alice: httpx.Client, api: ServedApi) -> None:
    grant = alice.post("grants", json=WRITE).json()
    again = alice.post(f"grants/{grant['id']}/access")
    assert again.status_code == 200
    renewed = again.json()
    assert renewed["prefix"] == grant["prefix"]
    assert renewed["access"]["key_id"] != grant["access"]["key_id"]
    obstore.put(open_granted(renewed), f"{grant['prefix']}late", b"bytes")
    for token, status in (("bob-token", 404), ("reader-token", 404), (None, 401)):
        with api.client(token) as other:
            assert other.post(f"grants/{grant['id']}/access").status_code == status
    expire(api, grant["id"])
    assert alice.post(f"grants/{grant['id']}/access").status_code == 403


@pytest.mark.parametrize("end", ["taken back", "withdrawn"])
def test_reading_is_not_renewed_once_the_right_to_it_has_ended(
    alice: httpx.Client, api: ServedApi, end: str
) -> None:
    collection = f"given-{end.split(maxsplit=1)[0]}"
    facts = {"skerry:public": False, "skerry:owner": "person:alice"}
    alice.put(f"stac/collections/{collection}", json={**make_collection(collection), **facts})
    writing = alice.post("grants", json=WRITE).json()
    item = make_item(prefix=writing["prefix"])
    for asset in item["assets"].values():
        obstore.put(open_granted(writing), asset["href"], b"bytes")
    item["properties"]["skerry:digest"] = open_objects(api.data).digest(writing["prefix"])
    items = f"stac/collections/{collection}/items"
    assert alice.post(items, json=item).status_code == 201
    share = f"shares/{collection}/person:reader"
    assert alice.put(share, json={}).status_code == 200

    with Session(Login(url=api.url, token="reader-token", user="reader")) as session:
        reference = ItemReference(collection, "scene")
        granted = grant_reading(session, reference)
        address = f"{granted.objects.address}{granted.prefix}"
        soon = utc_now() + timedelta(minutes=15)
        assert renew_access(address).expires <= soon
        assert grant_reading(session, reference).prefix == granted.prefix
        if end == "withdrawn":
            path = f"{items}/scene/versions/1/withdraw"
            assert alice.post(path, json={"reason": "Wrong."}).is_success
        else:
            assert alice.delete(share).status_code == 204
        with pytest.raises(WithdrawnError if end == "withdrawn" else NotFoundError):
            grant_reading(session, reference)
        kept = granted_module._granted[address]
        kept.access = kept.access.model_copy(update={"expires": utc_now() + timedelta(minutes=9)})
        with pytest.raises(WithdrawnError if end == "withdrawn" else NotFoundError):
            renew_access(address)  # and so the client reads no further
        del granted_module._granted[address]


def expire(api: ServedApi, grant: str) -> None:
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE grants SET expires = 1 WHERE id = ?", (grant,))
    engine.dispose()


def test_a_grant_without_credentials_is_not_kept(
    alice: httpx.Client, api: ServedApi, proxy: FaultProxy
) -> None:
    engine = open_database(database_url(api.data.database), read_only=True)

    def list_grants() -> set[str]:
        with engine.connect() as connection:
            return set(connection.exec_driver_sql("SELECT id FROM grants").scalars())

    before = list_grants()
    proxy.plan = first(1000, Fault.DROP, "POST", "^/$")
    answer = alice.post("grants", json=WRITE)
    assert answer.status_code == 503
    assert "token service" in answer.json()["detail"]
    assert list_grants() <= before
    proxy.plan = first(2, Fault.SLOW_DOWN, "POST", "^/$")
    assert alice.post("grants", json=WRITE).status_code == 201
    engine.dispose()


def test_no_text_shows_a_secret(alice: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    answer = alice.post("grants", json=WRITE)
    assert answer.headers["cache-control"] == "no-store"
    secrets = [answer.json()["access"][name] for name in ("secret", "token")]
    grant = Grant.model_validate_json(answer.content)
    texts = [repr(grant), str(grant), f"{grant.access}", caplog.text]
    assert not [text for text in texts for secret in secrets if secret in text]
