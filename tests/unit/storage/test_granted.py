import copy
import pickle
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Literal

import obstore
import pytest
from tests.minio_server import S3Server

from skerry.core.errors import UnavailableError
from skerry.core.time import utc_now
from skerry.models.grants import BucketAccess, Grant
from skerry.storage import granted
from skerry.storage.credentials import TokenService
from skerry.storage.granted import (
    Accesses,
    GrantedAccess,
    connect,
    granting_together,
    keep_access,
    passing_on,
    receive_access,
    renew_access,
)
from skerry.storage.object_places import parse_place
from skerry.storage.remote import parse_address
from skerry.storage.s3 import connect as connect_openly

HOUR = timedelta(hours=1)
ROOT = "s3://bucket/skerry/"


def make_access(name: str, life: timedelta = HOUR) -> BucketAccess:
    return BucketAccess(
        key_id=name, secret=f"{name}-secret", token=f"{name}-token", expires=utc_now() + life,
        endpoint="http://127.0.0.1:9", region="us-east-1",
    )  # fmt: skip


def make_grant(prefix: str, name: str, mode: Literal["read", "write"] = "read") -> Grant:
    access = make_access(name)
    return Grant(
        id=name, mode=mode, prefix=prefix, root=ROOT, expires=access.expires,
        kind="credentials", access=access,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(granted, "_granted", {})
    monkeypatch.setattr(granted, "_own", set())
    monkeypatch.setattr(granted, "_listeners", [])
    connect_openly.cache_clear()
    yield
    connect_openly.cache_clear()


def find_key(key: str, prefix: str | None = "skerry") -> str | None:
    """Return the key id with which a key of the bucket is opened, None for the environment's."""
    provider = connect("bucket", key, prefix).credential_provider
    return None if provider is None else str(provider()["access_key_id"])


def test_the_longest_granted_prefix_opens_a_key() -> None:
    for prefix, name in (("runs/r/1/", "run"), ("runs/r/1/products/a/", "a"), ("imports/x/", "x")):
        answer = make_grant(prefix, name)
        keep_access(answer, lambda answer=answer: answer)  # type: ignore[misc]
    assert find_key("runs/r/1/log.txt") == "run"
    assert find_key("runs/r/1/products/a/zarr.json") == "a"
    assert find_key("runs/r/1/products/ab") == "run"
    assert find_key("imports/x") == "x"
    assert find_key("skerry/imports/x/product.zarr", prefix=None) == "x"
    for key in ("imports/x2", "runs/r/10/log.txt", "imports", ""):
        assert find_key(key) is None


OF_ANOTHER_STORE = {
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "another", "AWS_SECRET_ACCESS_KEY": "another", "AWS_REGION": "default",
    "AWS_SESSION_TOKEN": "another", "AWS_SKIP_SIGNATURE": "true", "AWS_S3_EXPRESS": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}  # fmt: skip


@pytest.mark.s3
def test_variables_for_another_store_do_not_hold_for_a_grant(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = TokenService.from_environment(s3.variables())
    assert service is not None
    with s3.bucket() as bucket:
        obstore.put(s3.open_bucket(bucket), "skerry/imports/x/a", b"bytes")
        access = service.issue(f"s3://{bucket}/skerry/", "imports/x/", "read")
        changes = {"root": f"s3://{bucket}/skerry/", "access": access}
        answer = make_grant("imports/x/", "x").model_copy(update=changes)
        keep_access(answer, lambda: answer)
        with monkeypatch.context() as environment:
            for name, value in OF_ANOTHER_STORE.items():
                environment.setenv(name, value)
            store = connect(bucket, "imports/x/a", "skerry")
            assert bytes(obstore.get(store, "imports/x/a").bytes()) == b"bytes"


def test_a_grant_of_aws_is_used_at_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_ANOTHER_STORE.items():
        monkeypatch.setenv(name, value)
    for region, host in (
        ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
    ):
        answer = make_grant("imports/x/", region)
        assert answer.access is not None
        access = answer.access.model_copy(update={"endpoint": None, "region": region})
        keep_access(answer.model_copy(update={"access": access}), partial(make_grant, "x", "x"))
        config = connect("bucket", "imports/x/a", "skerry").config
        assert f"https://{host}" in config.values()


def test_credentials_are_renewed_before_their_end_alone() -> None:
    asked: list[str] = []

    def renew() -> BucketAccess:
        asked.append("again")
        return make_access(f"new{len(asked)}", timedelta(minutes=9.5))

    access = make_access("old", timedelta(minutes=11))
    kept = GrantedAccess(access, renew)
    assert [kept()["access_key_id"] for _ in range(3)] == ["old"] * 3
    assert asked == []
    kept.access = access.model_copy(update={"expires": utc_now() + timedelta(minutes=9)})
    assert kept()["access_key_id"] == "new1"
    assert kept()["access_key_id"] == "new2"


def test_a_failed_renewal_uses_what_is_left() -> None:
    def renew() -> BucketAccess:
        raise UnavailableError("The api is away.", remedy="Wait.")

    access = make_access("old", timedelta(minutes=5))
    assert GrantedAccess(access, renew)()["access_key_id"] == "old"
    ended = access.model_copy(update={"expires": utc_now() - timedelta(minutes=1)})
    with pytest.raises(UnavailableError):
        GrantedAccess(ended, renew)()


def test_credentials_stay_in_their_process_and_out_of_texts() -> None:
    answer = make_grant("imports/x/", "x")
    keep_access(answer, lambda: answer)
    (kept,) = granted._granted.values()
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="stay in the process"):
            leave(kept)
    store = connect("bucket", "imports/x/a", "skerry")
    for text in (repr(kept), str(vars(kept)), repr(answer), repr(store), str(granted._granted)):
        assert "x-secret" not in text
        assert "x-token" not in text
    with pytest.raises((TypeError, ValueError)):
        pickle.dumps(store)


def test_what_is_granted_is_passed_on_while_somebody_listens() -> None:
    heard: list[Accesses] = []
    for prefix in ("a/", "b/"):
        answer = make_grant(prefix, prefix[0])
        keep_access(answer, lambda answer=answer: answer)  # type: ignore[misc]
    with passing_on(heard.append):
        assert [sorted(accesses) for accesses in heard] == [[f"{ROOT}a/", f"{ROOT}b/"]]
        answer = make_grant("c/", "c")
        keep_access(answer, lambda: answer)
        assert heard[1:] == [{f"{ROOT}c/": answer.access}]
        with granting_together():
            for prefix in ("d/", "e/"):
                answer = make_grant(prefix, prefix[0])
                keep_access(answer, lambda answer=answer: answer)  # type: ignore[misc]
            assert len(heard) == 2
        assert [sorted(accesses) for accesses in heard[2:]] == [[f"{ROOT}d/", f"{ROOT}e/"]]
    keep_access(answer, lambda: answer)
    assert len(heard) == 3


def test_credentials_for_writing_stay_in_the_process_that_writes() -> None:
    heard: list[Accesses] = []
    answer = make_grant("own/", "own", "write")
    keep_access(answer, lambda: answer)
    with passing_on(heard.append):
        keep_access(answer, lambda: answer)
        assert heard == [{}]
    assert find_key("own/x") == "own"
    with pytest.raises(KeyError, match="own/"):  # nor does a worker get them that asks
        renew_access(f"{ROOT}own/")


def test_received_credentials_are_replaced_by_later_ones_alone() -> None:
    first, earlier, later = (make_access(name, timedelta(hours=hours)) for name, hours in
                             (("first", 2), ("earlier", 1), ("later", 3)))  # fmt: skip
    for access in (first, earlier):
        receive_access(f"{ROOT}a/", access, pytest.fail)
        assert find_key("a/x") == "first"
    store = connect("bucket", "a/x", "skerry")
    receive_access(f"{ROOT}a/", later, pytest.fail)
    assert store.credential_provider()["access_key_id"] == "later"
    assert connect("bucket", "a/x", "skerry") is store


@pytest.mark.parametrize("minutes", [9, -1], ids=["near their end", "past it"])
def test_received_credentials_are_asked_for_and_waited_for(minutes: int) -> None:
    """Answers come in another thread, as those of a scheduler do."""
    address, threads = f"{ROOT}a/", list[Thread]()

    def ask() -> None:
        threads.append(Thread(target=receive_access, args=(address, make_access("new"), ask)))
        threads[-1].start()

    receive_access(address, make_access("old", timedelta(minutes=minutes)), ask)
    assert find_key("a/x") == "new"
    for thread in threads:
        thread.join()
    assert len(threads) == 1


def test_received_credentials_that_nobody_renews_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granted, "ANSWER_WITHIN_S", 0.01)
    receive_access(f"{ROOT}a/", make_access("old", timedelta(minutes=1)), lambda: None)
    assert find_key("a/x") == "old"
    receive_access(f"{ROOT}b/", make_access("old", timedelta(minutes=-1)), lambda: None)
    for read in (lambda: parse_place(ROOT).read("b/x"), (parse_address(ROOT) / "b/x").find_size):
        with pytest.raises(UnavailableError, match=r"for s3://bucket/skerry/b/ end.*no new") as why:
            read()
        assert "Look whether it still runs" in why.value.remedy
