"""Grants of a platform whose bucket has no token service: addresses that the api signs."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpcore
import httpx
import pytest
from tests.fault_proxy import FaultProxy, serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.platform_process import wait_until
from tests.served_api import ServedApi, serve_api
from tests.served_bucket import using_bucket
from tests.stac_documents import make_collection, make_item, write_bytes

from skerry.core.settings import GRANTS_VARIABLE
from skerry.models.signing import MOST_NAMES, SignedAddresses
from skerry.storage import signing
from skerry.storage.object_places import open_objects

pytestmark = [pytest.mark.s3, pytest.mark.long]
WRITE = {"mode": "write", "purpose": "import"}
READ = {"mode": "read", "collection": "lakes", "item": "scene"}


@pytest.fixture(scope="module")
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    """Give the way to a store that has no token service."""
    with serve_faults(s3.endpoint) as proxy:
        proxy.plan = without_tokens()
        yield proxy


@pytest.fixture(scope="module")
def api(
    s3: S3Server, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedApi]:
    folder = tmp_path_factory.mktemp("signed") / "data"
    with using_bucket(s3, proxy.endpoint, "addresses"), serve_api(folder) as api:
        yield api


@pytest.fixture
def alice(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("alice-token") as client:
        yield client


@pytest.fixture
def grant(alice: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = alice.post("grants", json=WRITE).json()
    return answer


def order(grant: dict[str, Any], method: str, *names: str, **more: Any) -> dict[str, Any]:
    under = {"mode": "write", "grant": grant["id"]}
    return {"under": under, "method": method, "names": names, **more}


def sign(client: httpx.Client, grant: dict[str, Any], method: str, *names: str) -> dict[str, str]:
    answer = client.post("grants/addresses", json=order(grant, method, *names))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    addresses: dict[str, str] = answer.json()["addresses"]
    return addresses


def send(method: str, address: str, content: bytes = b"") -> httpcore.Response:
    return httpcore.request(method, address, content=content)


def test_a_grant_holds_no_credential_and_asks_no_token_service(
    alice: httpx.Client, grant: dict[str, Any], proxy: FaultProxy, s3: S3Server
) -> None:
    assert (grant["kind"], grant["access"]) == ("addresses", None)
    assert grant["root"].startswith("s3://")
    assert proxy.done == []
    addresses = sign(alice, grant, "PUT", "a/b", "c ü+#?")
    for address in addresses.values():
        assert send("PUT", address, b"0123456789").status == 200
        assert s3.secret not in address
    reading = sign(alice, grant, "GET", "a/b")["a/b"]
    assert send("GET", reading).content == b"0123456789"
    assert send("HEAD", sign(alice, grant, "HEAD", "a/b")["a/b"]).status == 200
    listing = alice.post("grants/files", json={"under": {"mode": "write", "grant": grant["id"]}})
    assert [file["name"] for file in listing.json()["files"]] == ["a/b", "c ü+#?"]


def test_an_address_is_for_its_file_and_its_method_alone(
    alice: httpx.Client, grant: dict[str, Any]
) -> None:
    address = sign(alice, grant, "PUT", "mine")["mine"]
    assert send("PUT", address, b"x").status == 200
    for method in ("GET", "DELETE", "HEAD", "POST"):
        assert send(method, address).status in (400, 403, 405)
    for changed in (
        address.replace("/mine?", "/other?"),
        address.replace("/mine?", "/../other?"),
        address.replace(f"/{grant['prefix']}", "/imports/other/"),
        address.replace("X-Amz-Expires=300", "X-Amz-Expires=604800"),
        address + "&uploads",
        address + "&acl",
    ):
        assert changed != address
        assert send("PUT", changed, b"x").status in (400, 403, 405), changed


@pytest.mark.parametrize("name", [
    "..", "../2/secret", "a/../../secret", "a/..", "./a", "", "/", "/a", "//a", "a//b", "a/",
    "..\\a", "a\\b", "a\0b", "a\nb", "%2e%2e/a", "%2E%2E%2Fa", "..%2fa", "a%2fb", "a%5cb",
    "%252e%252e%252fa", "a" * 1025,
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_name_that_could_lead_out_is_refused_before_it_is_signed(
    alice: httpx.Client, grant: dict[str, Any], method: str, name: str
) -> None:
    answer = alice.post("grants/addresses", json=order(grant, method, "good", name))
    assert answer.status_code == 422, answer.text
    assert "X-Amz" not in answer.text
    for body in ({"folder": name if name.endswith("/") else f"{name}/"}, {"after": name}):
        if any(body.values()) and name:
            under = {"mode": "write", "grant": grant["id"]}
            listed = alice.post("grants/files", json={"under": under, **body})
            assert listed.status_code == 422 or name == "a/", (body, listed.text)


@pytest.mark.parametrize("method", ["DELETE", "POST", "LIST", "get", "", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(alice: httpx.Client, grant: dict[str, Any], method: str) -> None:
    assert alice.post("grants/addresses", json=order(grant, method, "a")).status_code == 422


def test_a_request_is_bounded(alice: httpx.Client, grant: dict[str, Any]) -> None:
    names = [f"{number}" for number in range(MOST_NAMES)]
    assert len(sign(alice, grant, "PUT", *names)) == MOST_NAMES
    for body in (
        order(grant, "GET"), order(grant, "GET", *names, "more"),
        order(grant, "GET", "a", further=MOST_NAMES + 1), order(grant, "GET", "a", further=-1),
        order(grant, "GET", "a", other=1),
    ):  # fmt: skip
        assert alice.post("grants/addresses", json=body).status_code == 422


def test_a_sibling_is_a_name_below_the_own_prefix(
    alice: httpx.Client, grant: dict[str, Any]
) -> None:
    other = alice.post("grants", json=WRITE).json()
    name = f"{other['prefix']}a"
    address = sign(alice, grant, "PUT", name)[name]
    assert f"/skerry/{grant['prefix']}{name}?" in address


def test_the_next_files_of_the_prefix_come_along_for_reading_alone(
    alice: httpx.Client, grant: dict[str, Any]
) -> None:
    other = alice.post("grants", json=WRITE).json()
    for held, names in ((grant, ("a", "b", "c/1", "c/2")), (other, ("d",))):
        for address in sign(alice, held, "PUT", *names).values():
            assert send("PUT", address, b"x").status == 200
    answer = alice.post("grants/addresses", json=order(grant, "GET", "b", further=2)).json()
    assert list(answer["addresses"]) == ["b", "c/1", "c/2"]
    answer = alice.post("grants/addresses", json=order(grant, "GET", "a", further=256)).json()
    assert list(answer["addresses"]) == ["a", "b", "c/1", "c/2"]
    answer = alice.post("grants/addresses", json=order(grant, "PUT", "a", further=256)).json()
    assert list(answer["addresses"]) == ["a"]


def test_the_holder_alone_gets_addresses(
    alice: httpx.Client, api: ServedApi, grant: dict[str, Any]
) -> None:
    for token, status in (
        ("bob-token", 404), ("reader-token", 404), ("nothing-token", 404), ("run-token", 404),
        (None, 401),
    ):  # fmt: skip
        with api.client(token) as other:
            answer = other.post("grants/addresses", json=order(grant, "GET", "a"))
            assert answer.status_code == status, token
            under = {"mode": "write", "grant": grant["id"]}
            assert other.post("grants/files", json={"under": under}).status_code == status


def test_after_the_registration_no_put_is_signed(
    alice: httpx.Client, api: ServedApi, grant: dict[str, Any]
) -> None:
    alice.put("stac/collections/lakes", json=make_collection())
    item = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, item)
    for path in sorted((api.data.objects / grant["prefix"]).rglob("*")):
        if path.is_file():
            name = path.relative_to(api.data.objects / grant["prefix"]).as_posix()
            address = sign(alice, grant, "PUT", name)[name]
            assert send("PUT", address, path.read_bytes()).status == 200
    item["properties"]["skerry:digest"] = open_objects(api.data).digest(grant["prefix"])
    assert alice.post("stac/collections/lakes/items", json=item).status_code == 201
    for method in ("PUT", "GET"):
        answer = alice.post("grants/addresses", json=order(grant, method, "a"))
        assert answer.status_code == 404
    reading = {"under": READ, "method": "GET", "names": ["a"]}
    assert alice.post("grants/addresses", json=reading | {"method": "PUT"}).status_code == 403
    with api.client("reader-token") as reader:
        assert reader.post("grants", json=READ).json()["kind"] == "addresses"
        listed = reader.post("grants/files", json={"under": READ}).json()["files"]
        name = listed[0]["name"]
        answer = reader.post("grants/addresses", json=reading | {"names": [name]})
        assert send("GET", answer.json()["addresses"][name]).status == 200
        assert reader.post("grants/addresses", json=reading | {"method": "PUT"}).status_code == 403
        other = {"under": READ | {"item": "other"}, "method": "GET", "names": ["a"]}
        assert reader.post("grants/addresses", json=other).status_code == 404
    for token, status in ((None, 401), ("nothing-token", 403)):
        with api.client(token) as client:
            answer = client.post("grants/addresses", json=reading)
            assert answer.status_code in (status, 404), (token, answer.text)
            assert "X-Amz" not in answer.text


def test_an_address_ends_and_is_refused_after(
    alice: httpx.Client, grant: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(minutes=1) < signing.LIFE <= timedelta(minutes=10)
    monkeypatch.setattr(signing, "LIFE", timedelta(seconds=1))
    address = sign(alice, grant, "PUT", "late")["late"]
    wait_until(lambda: send("PUT", address, b"x").status == 403, 30, "the store refuses it")


def test_no_text_shows_an_address(
    alice: httpx.Client, grant: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = alice.post("grants/addresses", json=order(grant, "PUT", "a"))
    signed = SignedAddresses.model_validate_json(answer.content)
    [signature] = {text for text in signed.addresses["a"].split("&") if "Signature=" in text}
    for text in (repr(signed), str(signed), caplog.text):
        assert signature not in text


def test_a_platform_with_credentials_signs_nothing(
    alice: httpx.Client, grant: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(GRANTS_VARIABLE)
    answer = alice.post("grants/addresses", json=order(grant, "GET", "a"))
    assert answer.status_code == 422
    assert "signs no addresses" in answer.json()["detail"]
    refused = alice.post("grants", json=WRITE)  # the store has no token service
    assert refused.status_code == 503
    assert "SKERRY_GRANTS=addresses" in refused.text
