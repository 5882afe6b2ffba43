"""Every reader under `ReadingStore` gives what zarr's own stores give of the same files."""

import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.object_servers import locate, serve_folder
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from skerry.maps.store import GeoZarrReader
from skerry.products.stores.zarr_stores import ArchiveReader, WebReader
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.reading_store import Reader, ReadingStore
from skerry.storage.remote import parse_address

FILES = {"zarr.json": b"{}", "a/zarr.json": b"{'a': 1}", "a/c/0": bytes(range(200)), "ab": b"x"}
PARTS = [
    None,
    RangeByteRequest(0, 1),
    RangeByteRequest(7, 90),
    RangeByteRequest(190, 300),
    OffsetByteRequest(150),
    SuffixByteRequest(20),
    SuffixByteRequest(500),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "p.zarr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "p.zarr"


@pytest.fixture(params=["folder", "archive", "web"])
def reader(request: pytest.FixtureRequest, folder: Path) -> Iterator[Reader]:
    if request.param == "folder":
        yield GeoZarrReader(ObjectFolder(folder.parent), folder.name)
    elif request.param == "archive":
        archive = folder.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for name in FILES:
                target.write(folder / name, name)
        yield ArchiveReader(archive)
    else:
        with serve_folder(folder.parent) as server:
            yield WebReader(parse_address(locate(server, folder.name)))


def read(store: Any, key: str, part: Any) -> bytes | None:
    content = sync(store.get(key, default_buffer_prototype(), part))
    return None if content is None else content.to_bytes()


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_parts_of_files_are_those_of_zarr_s_own_store(reader, folder, part) -> None:
    ours, zarrs = ReadingStore(reader), LocalStore(folder, read_only=True)
    assert read(ours, "a/c/0", part) == read(zarrs, "a/c/0", part)
    assert read(ours, "a/c/1", part) is None


def test_what_is_there(reader, folder) -> None:
    ours, zarrs = ReadingStore(reader), LocalStore(folder, read_only=True)
    for key in ("a/c/0", "a/c/1", "ab", "zarr.json", "b/zarr.json"):
        assert sync(ours.exists(key)) == sync(zarrs.exists(key)), key


def test_listing_is_that_of_zarr_s_own_store(folder) -> None:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as target:
        for name in FILES:
            target.write(folder / name, name)
    ours = ReadingStore(ArchiveReader(folder.with_suffix(".zip")))
    zarrs = LocalStore(folder, read_only=True)
    asks: list[Callable[[Any], Any]] = [
        lambda store: store.list(),
        lambda store: store.list_dir(""),
        lambda store: store.list_dir("a"),
        lambda store: store.list_dir("b"),
        lambda store: store.list_prefix("a/"),
    ]
    for ask in asks:
        assert sync(collect(ask(ours))) == sync(collect(ask(zarrs)))


async def collect(names: Any) -> set[str]:
    return {name async for name in names}


def test_a_store_goes_to_workers_and_writes_nothing(reader) -> None:
    store = ReadingStore(reader)
    assert pickle.loads(pickle.dumps(store)) == store  # noqa: S301 -- our own bytes
    assert store.read_only
    with pytest.raises(NotImplementedError):
        sync(store.set("ab", default_buffer_prototype().buffer.from_bytes(b"y")))
