"""Temporary credentials open one prefix of a real bucket, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store
from requests_aws4auth import AWS4Auth
from tests.minio_server import REGION, S3Server

from skerry.core.errors import UnavailableError
from skerry.models.grants import BucketAccess
from skerry.storage.credentials import Mode, TokenService

pytestmark = pytest.mark.s3

PREFIX = "runs/r1/1/"
OTHERS = {
    "runs/r1/2/secret": b"another attempt",
    "runs/r1/10/secret": b"begins with the same letters",
    "runs/r1/1x/secret": b"as well",
    "secret": b"at the root",
}


def refused() -> Any:
    """Expect the store's refusal; its client has no one class for it."""
    return pytest.raises(BaseError, match=r"AccessDenied|InvalidTokenId|SignatureDoesNot|Forbidden")


@dataclass
class Place:
    """A bucket with a root for Skerry, which holds files of others beside the granted prefix."""

    server: S3Server
    bucket: str
    service: TokenService

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}/skerry/"

    def issue(self, mode: Mode = "write", prefix: str = PREFIX) -> BucketAccess:
        return self.service.issue(self.root, prefix, mode)

    def open(self, access: BucketAccess, bucket: str | None = None) -> Any:
        return S3Store(
            bucket or self.bucket, endpoint=self.server.endpoint, region=REGION,
            access_key_id=access.key_id, secret_access_key=access.secret,
            session_token=access.token, client_options={"allow_http": True},
        )  # fmt: skip

    def ask(self, access: BucketAccess, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a path as it is written: clients of S3 would clean it."""
        signature = AWS4Auth(access.key_id, access.secret, REGION, "s3", session_token=access.token)
        return httpx.request(
            method, f"{self.server.endpoint}/{path}", auth=signature, timeout=30, **more
        )

    def read_others(self) -> dict[str, bytes]:
        store = self.server.open_bucket(self.bucket)
        return {key: bytes(obstore.get(store, f"skerry/{key}").bytes()) for key in OTHERS}


@pytest.fixture
def place(s3: S3Server) -> Iterator[Place]:
    service = TokenService.from_environment(s3.variables())
    assert service is not None
    with s3.bucket() as bucket:
        for key, content in OTHERS.items():
            obstore.put(s3.open_bucket(bucket), f"skerry/{key}", content)
        obstore.put(s3.open_bucket(bucket), f"skerry/{PREFIX}there", b"mine")
        yield Place(s3, bucket, service)


def test_put_get_and_list_work_below_the_prefix(place: Place) -> None:
    store = place.open(place.issue())
    obstore.put(store, f"skerry/{PREFIX}a/b c+ü.bin", b"x" * 100)
    obstore.put(store, f"skerry/{PREFIX}large", b"y" * (12 << 20), use_multipart=True)
    assert bytes(obstore.get(store, f"skerry/{PREFIX}there").bytes()) == b"mine"
    assert obstore.head(store, f"skerry/{PREFIX}large")["size"] == 12 << 20
    listed = obstore.list(store, prefix=f"skerry/{PREFIX}").collect()
    names = {str(item["path"]).removeprefix(f"skerry/{PREFIX}") for item in listed}
    assert names == {"a/b c+ü.bin", "large", "there"}


@pytest.mark.parametrize("key", OTHERS)
def test_no_other_key_can_be_read_written_or_removed(place: Place, key: str) -> None:
    store = place.open(place.issue())
    for use in (
        lambda: obstore.get(store, f"skerry/{key}"),
        lambda: obstore.head(store, f"skerry/{key}"),
        lambda: obstore.put(store, f"skerry/{key}", b"overwritten", use_multipart=False),
        lambda: obstore.delete(store, f"skerry/{key}"),
        lambda: obstore.copy(store, f"skerry/{key}", f"skerry/{PREFIX}stolen"),
        lambda: obstore.copy(store, f"skerry/{PREFIX}there", f"skerry/{key}"),
    ):
        with refused():
            use()
    assert place.read_others() == OTHERS


@pytest.mark.parametrize(
    "prefix", [None, "skerry/", "skerry/runs/", "skerry/runs/r1/", "skerry/runs/r1/10/"]
)
def test_no_other_prefix_can_be_listed(place: Place, prefix: str | None) -> None:
    with refused():
        obstore.list(place.open(place.issue()), prefix=prefix).collect()


@pytest.mark.parametrize("query", ["prefix=skerry/runs/r1/1", "prefix=", "", "prefix=skerry%2F"])
@pytest.mark.parametrize("kind", ["list-type=2&", "", "versions&", "uploads&"])
def test_no_form_of_listing_shows_more(place: Place, query: str, kind: str) -> None:
    answer = place.ask(place.issue(), "GET", f"{place.bucket}?{kind}{query}")
    assert answer.status_code == 403, answer.text
    assert "<Key>" not in answer.text


def test_nothing_can_be_deleted(place: Place) -> None:
    access = place.issue()
    with refused():
        obstore.delete(place.open(access), f"skerry/{PREFIX}there")
    assert place.ask(access, "DELETE", f"{place.bucket}/skerry/{PREFIX}there").status_code == 403
    assert place.ask(access, "DELETE", place.bucket).status_code == 403
    assert f"skerry/{PREFIX}there" in place.server.list_keys(place.bucket)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("way", [
    "../2/secret", "x/../../2/secret", "%2e%2e/2/secret", "..%2f2%2fsecret", "%2e%2e%2f2%2fsecret",
    "..%5c2%5csecret", "./../2/secret", "//../2/secret", "%252e%252e%252f2%252fsecret",
])  # fmt: skip
def test_no_way_of_writing_dots_leads_out(place: Place, method: str, way: str) -> None:
    content = {"content": b"overwritten"} if method == "PUT" else {}
    answer = place.ask(place.issue(), method, f"{place.bucket}/skerry/{PREFIX}{way}", **content)
    assert b"another attempt" not in answer.content
    assert place.read_others() == OTHERS
    outside = [
        key
        for key in place.server.list_keys(place.bucket)
        if not key.startswith(f"skerry/{PREFIX}") and key.removeprefix("skerry/") not in OTHERS
    ]
    assert outside == []


def test_reading_does_not_write(place: Place) -> None:
    store = place.open(place.issue("read"))
    assert bytes(obstore.get(store, f"skerry/{PREFIX}there").bytes()) == b"mine"
    assert len(obstore.list(store, prefix=f"skerry/{PREFIX}").collect()) == 1
    for key in ("there", "new"):
        with refused():
            obstore.put(store, f"skerry/{PREFIX}{key}", b"no", use_multipart=False)
    with refused():
        obstore.put(store, f"skerry/{PREFIX}new", b"z" * (12 << 20), use_multipart=True)


def test_another_bucket_stays_closed(place: Place) -> None:
    access = place.issue()
    with place.server.bucket() as other:
        obstore.put(place.server.open_bucket(other), f"skerry/{PREFIX}x", b"theirs")
        with refused():
            obstore.get(place.open(access, other), f"skerry/{PREFIX}x")
        with refused():
            obstore.put(place.open(access, other), f"skerry/{PREFIX}y", b"no")
        assert other not in place.ask(access, "GET", "").text
    assert place.ask(access, "PUT", f"{place.bucket}-new").status_code == 403


def test_they_give_no_further_credentials(place: Place) -> None:
    access = place.issue()
    inherited = TokenService.from_environment(
        place.server.variables()
        | {
            "AWS_ACCESS_KEY_ID": access.key_id,
            "AWS_SECRET_ACCESS_KEY": access.secret,
            "AWS_SESSION_TOKEN": access.token,
        }
    )
    assert inherited is not None
    with pytest.raises(UnavailableError, match="answers 40"):
        inherited.issue(place.root, "imports/", "write")


def test_a_token_that_was_changed_opens_nothing(place: Place) -> None:
    access = place.issue()
    for changed in (
        access.model_copy(update={"token": access.token[:-4] + "AAAA"}),
        access.model_copy(update={"token": place.issue("read").token}),
        access.model_copy(update={"secret": "0" * 40}),
    ):
        with refused():
            obstore.put(place.open(changed), f"skerry/{PREFIX}new", b"no")


@pytest.mark.parametrize("mode", ["read", "write"])
def test_they_end_soon(place: Place, mode: Mode) -> None:
    left = place.issue(mode).expires - datetime.now(UTC)
    assert timedelta(minutes=12) < left <= timedelta(minutes=16)
