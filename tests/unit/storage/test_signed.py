import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from obstore.exceptions import BaseError
from tests.platform_process import wait_until

from skerry.core.errors import InvalidInputError
from skerry.models.signing import MOST_NAMES, Listing, Method, SignedAddresses
from skerry.storage import signed
from skerry.storage.signed import SignedPrefix, SignedStore

ADDRESS = "s3://bucket/skerry/imports/1/"


class Signer:
    """Signs at once, or waits for `go`; refuses names that begin with ``bad``."""

    def __init__(self, life_s: float = 300.0) -> None:
        self.asked: list[list[str]] = []
        self.go = Event()
        self.go.set()
        self.began = Event()
        self.life_s = life_s

    def sign(self, method: Method, names: list[str], further: int) -> SignedAddresses:
        self.asked.append(names)
        self.began.set()
        assert self.go.wait(60)
        assert further == (MOST_NAMES if method is Method.GET else 0)
        if any(name.startswith("bad") for name in names):
            raise InvalidInputError("A name is bad.", remedy="Name another.")
        count = len(self.asked)
        addresses = {name: f"http://x/{name}?{method}-{count}-hidden" for name in names}
        return SignedAddresses(addresses=addresses, life_s=self.life_s)

    def list_files(self, folder: str, *, deep: bool, after: str) -> Listing:
        raise NotImplementedError


def test_an_address_is_asked_for_once_until_shortly_before_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(signed.time, "monotonic", lambda: clock[0])
    signer = Signer()
    prefix = SignedPrefix(ADDRESS, signer)
    first = prefix.find(Method.GET, "a")
    clock[0] += 239
    assert prefix.find(Method.GET, "a") == first
    clock[0] += 2
    assert prefix.find(Method.GET, "a") != first
    assert prefix.find(Method.PUT, "a") != first
    assert len(signer.asked) == 3
    prefix.forget(Method.PUT, "a")
    prefix.find(Method.PUT, "a")
    assert len(signer.asked) == 4


def test_who_waits_while_a_question_is_under_way_is_asked_for_with_the_next() -> None:
    signer = Signer()
    signer.go.clear()
    prefix = SignedPrefix(ADDRESS, signer)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(prefix.find, Method.PUT, "first")
        assert signer.began.wait(60)
        others = [pool.submit(prefix.find, Method.PUT, f"{number}") for number in range(19)]
        wait_until(lambda: len(prefix._wanted) == 19, 60, "the others wait", every_s=0.01)
        signer.go.set()
        assert "first" in first.result()
        assert all(f"/{number}?" in other.result() for number, other in enumerate(others))
    assert [len(names) for names in signer.asked] == [1, 19]


def test_a_refused_name_does_not_spoil_others() -> None:
    signer = Signer()
    prefix = SignedPrefix(ADDRESS, signer)
    prefix._wanted[Method.PUT, "bad"] = None  # another thread waits for it
    assert "/good?" in prefix.find(Method.PUT, "good")
    with pytest.raises(InvalidInputError, match="A name is bad"):
        prefix.find(Method.PUT, "bad")


def test_it_stays_in_its_process_and_shows_nothing() -> None:
    prefix = SignedPrefix(ADDRESS, Signer())
    address = prefix.find(Method.GET, "a")
    assert "hidden" in address
    assert "hidden" not in f"{prefix!r}{prefix}"
    with pytest.raises(TypeError, match="stay in the process"):
        pickle.dumps(prefix)


def test_keys_outside_are_refused_as_a_store_does_without_a_question() -> None:
    signer = Signer()
    store = SignedStore("s3://bucket/", SignedPrefix(ADDRESS, signer))
    for key in ("skerry/imports/10/a", "skerry/imports/a", "skerry/other/a", "a"):
        for use in (
            lambda key=key: store.get(key),
            lambda key=key: store.head(key),
            lambda key=key: store.put(key, b"x"),
            lambda key=key: list(store.list(key)),
            lambda key=key: store.list_with_delimiter(key),
        ):
            with pytest.raises(BaseError, match="AccessDenied"):
                use()
    with pytest.raises(BaseError, match="AccessDenied"):
        store.delete(["skerry/imports/1/a"])
    assert signer.asked == []


def test_a_file_that_one_request_cannot_send_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(signed.LARGEST_FILE + 1)
    signer = Signer()
    store = SignedStore("s3://bucket/", SignedPrefix(ADDRESS, signer))
    with pytest.raises(InvalidInputError, match="5000000001 bytes"):
        store.put("skerry/imports/1/large", large)
    assert signer.asked == []
