import copy
import pickle
from collections.abc import Iterator
from datetime import timedelta

import pytest

from skerry.core.errors import UnavailableError
from skerry.core.time import utc_now
from skerry.models.grants import BucketAccess, Grant
from skerry.storage import granted, s3
from skerry.storage.granted import GrantedAccess, connect, keep_access

HOUR = timedelta(hours=1)


def make_grant(prefix: str, name: str, life: timedelta = HOUR) -> Grant:
    end = utc_now() + life
    access = BucketAccess(
        key_id=name, secret=f"{name}-secret", token=f"{name}-token", expires=end,
        endpoint="http://127.0.0.1:9", region="us-east-1",
    )  # fmt: skip
    return Grant(
        id=name, mode="write", prefix=prefix, root="s3://bucket/skerry/", expires=end,
        kind="credentials", access=access,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(granted, "_granted", {})
    s3.connect.cache_clear()
    yield
    s3.connect.cache_clear()


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


def test_credentials_are_renewed_before_their_end_alone() -> None:
    asked: list[str] = []

    def renew() -> Grant:
        asked.append("again")
        return make_grant("imports/x/", f"new{len(asked)}", timedelta(minutes=9))

    access = make_grant("imports/x/", "old", timedelta(minutes=11)).access
    assert access is not None
    kept = GrantedAccess(access, renew)
    assert [kept()["access_key_id"] for _ in range(3)] == ["old"] * 3
    assert asked == []
    kept.access = access.model_copy(update={"expires": utc_now() + timedelta(minutes=9)})
    assert kept()["access_key_id"] == "new1"
    assert kept()["access_key_id"] == "new2"


def test_a_failed_renewal_uses_what_is_left() -> None:
    def renew() -> Grant:
        raise UnavailableError("The api is away.", remedy="Wait.")

    access = make_grant("imports/x/", "old", timedelta(minutes=5)).access
    assert access is not None
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
