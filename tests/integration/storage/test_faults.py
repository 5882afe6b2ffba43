"""A store that fails now and then loses nothing, and shows nothing half-written."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fault_proxy import Fault, FaultProxy, at_random, first, no_faults, serve_faults
from tests.minio_server import S3Server

from skerry.core.errors import UnavailableError
from skerry.storage.object_places import parse_place
from skerry.storage.objects import Objects
from skerry.storage.s3 import connect

pytestmark = [pytest.mark.s3, pytest.mark.long]

LARGE = random.Random(9).randbytes(300_000)


@pytest.fixture(scope="module")
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    with serve_faults(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def stores(
    s3: S3Server, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Objects, S3Server, str]]:
    """Return the store behind the proxy, the server itself, and the bucket's name."""
    for name, value in s3.variables(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    connect.cache_clear()
    proxy.plan = no_faults
    proxy.done.clear()
    with s3.bucket() as bucket:
        yield parse_place(f"s3://{bucket}/skerry"), s3, bucket
        proxy.plan = no_faults
    connect.cache_clear()


Stores = tuple[Objects, S3Server, str]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.CUT_REQUEST])
def test_a_read_survives(stores: Stores, proxy: FaultProxy, fault: Fault) -> None:
    store, _, _ = stores
    store.write("imports/1/large", LARGE)
    proxy.plan = first(2, fault, "GET", "large")
    assert store.read("imports/1/large") == LARGE
    assert {name for name, _ in proxy.done} == {fault}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.CUT])
def test_a_write_survives(stores: Stores, proxy: FaultProxy, fault: Fault) -> None:
    store, server, bucket = stores
    proxy.plan = first(2, fault, "PUT", "large")
    store.write("imports/1/large", LARGE)
    assert {name for name, _ in proxy.done} == {fault}
    assert server.list_keys(bucket) == ["skerry/imports/1/large"]
    assert store.read("imports/1/large") == LARGE


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.CUT_REQUEST, Fault.ERROR, Fault.SLOW_DOWN])
def test_a_write_that_never_passes_leaves_nothing(
    stores: Stores, proxy: FaultProxy, fault: Fault
) -> None:
    store, server, bucket = stores
    store.write("imports/1/old", b"old")
    proxy.plan = first(1000, fault, "PUT")
    for key in ("imports/1/old", "imports/1/new"):
        with pytest.raises(UnavailableError, match="object store"):
            store.write(key, LARGE)
    proxy.plan = no_faults
    assert server.list_keys(bucket) == ["skerry/imports/1/old"]
    assert store.read("imports/1/old") == b"old"


def test_a_folder_of_files_arrives_whole(stores: Stores, proxy: FaultProxy, tmp_path: Path) -> None:
    store, _, _ = stores
    chance = random.Random(1)
    files = {f"c/{number}": chance.randbytes(chance.randrange(20_000)) for number in range(60)}
    proxy.plan = at_random(0.15, seed=3)
    with store.filling("imports/2/") as folder:
        (folder / "c").mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)

    copied = tmp_path / "copied"
    copied.mkdir()
    store.copy_to("imports/2/", copied)
    assert {f"c/{path.name}": path.read_bytes() for path in (copied / "c").iterdir()} == files
    assert len({fault for fault, _ in proxy.done}) >= 4


def test_replacing_keeps_the_old_when_the_new_does_not_pass(
    stores: Stores, proxy: FaultProxy
) -> None:
    store, _, _ = stores
    with store.replacing("imports/3/") as folder:
        (folder / "old").write_bytes(b"old")
    proxy.plan = first(1000, Fault.SLOW_DOWN, "PUT")
    with pytest.raises(UnavailableError), store.replacing("imports/3/") as folder:
        (folder / "new").write_bytes(b"new")
    proxy.plan = no_faults
    assert store.read("imports/3/old") == b"old"
    assert not store.exists("imports/3/new")
