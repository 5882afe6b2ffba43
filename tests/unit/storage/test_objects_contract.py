"""What every object store does, in a folder and in a bucket of a real server."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.minio_server import S3Server
from tests.object_stores import STORES, store

from skerry.core.digests import digest_bytes, digest_json
from skerry.core.errors import InvalidInputError, NotFoundError, UnavailableError
from skerry.models.grants import Grant
from skerry.storage.copying_objects import copy_prefix
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import open_granted
from skerry.storage.objects import Objects
from skerry.storage.remote import RemotePath
from skerry.storage.web import TemporaryError

__all__ = ["store"]

TEN = b"0123456789"
BAD = ["", "/a", "a//b", "a/../b", "..", "a/./b", "a\\b", "a\0b"]
STRANGE = [
    f"imports/1/{name}"
    for name in ("a b", "a#b?c", "a%2Ab", "a+b=c&d", "\u00e4", "a\u0308", "a~b'c", "...", "a ")
]


def list_keys(store: Objects, prefix: str) -> list[str]:
    return sorted(file.key for file in store.list_files(prefix))


def test_a_file_is_absent_then_written_then_replaced(store: Objects) -> None:
    assert store.read("imports/1/x") is None
    assert store.open("imports/1/x") is None
    assert not store.exists("imports/1/x")
    store.write("imports/1/x", TEN)
    assert store.read("imports/1/x") == TEN
    assert store.exists("imports/1/x")
    store.write("imports/1/x", b"new")
    assert store.read("imports/1/x") == b"new"


@pytest.mark.parametrize(
    "part",
    [slice(None), slice(2, 5), slice(7, None), slice(-3, None), slice(-90, None), slice(8, 90),
     slice(10, 20), slice(90, None), slice(4, 4), slice(5, 2)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("content", [TEN, b""], ids=["ten", "empty"])
def test_a_part_is_what_python_cuts_out(store: Objects, part: slice, content: bytes) -> None:
    store.write("imports/1/x", content)
    assert store.read("imports/1/x", part) == content[part]
    assert store.read("imports/1/none", part) is None


def test_too_much_is_refused_before_it_is_read(store: Objects) -> None:
    store.write("imports/1/x", TEN)
    assert store.read("imports/1/x", slice(0, 4), most=4) == TEN[:4]
    with pytest.raises(InvalidInputError, match="10 bytes; at most 4"):
        store.read("imports/1/x", most=4)


def test_an_open_file_is_read_and_sought(store: Objects) -> None:
    content = bytes(range(256)) * 4096
    store.write("imports/1/x", content)
    file = store.open("imports/1/x")
    assert file is not None
    with file:
        assert file.size == len(content)
        assert file.stream.read(10) == content[:10]
        file.stream.seek(500_000)
        assert file.stream.read(10) == content[500_000:500_010]
        assert file.stream.read() == content[500_010:]
        assert file.stream.read(5) == b""
        file.stream.seek(3)
        assert file.stream.read(1) == content[3:4]
    assert file.stream.closed


@pytest.mark.parametrize("key", BAD)
def test_no_key_leads_out(store: Objects, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.read(key), lambda: store.open(key), lambda: store.write(key, b""),
        lambda: store.exists(key), lambda: store.remove(key), lambda: store.locate(key),
        lambda: list(store.list_files(f"{key}/")), lambda: store.list_names(f"{key}/"),
        lambda: store.prepare(f"{key}/"), lambda: store.digest(f"{key}/"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InvalidInputError, match="not a key"):
            call()


@pytest.mark.parametrize("key", STRANGE)
def test_strange_names_keep_their_form(store: Objects, key: str) -> None:
    store.write(key, TEN)
    assert list_keys(store, "imports/1/") == [key]
    assert store.list_names("imports/1/") == [key.rpartition("/")[2]]
    assert store.read(key, slice(1, 3)) == b"12"
    store.remove(key)
    assert not store.exists(key)


@pytest.mark.parametrize("name", ["x" * 221, "\u00e4" * 111, "/".join(["x" * 200] * 6)])
def test_a_name_that_is_too_long_is_refused_before_a_store_is_asked(
    store: Objects, name: str
) -> None:
    """S3 counts bytes, and says so only where an answer has a body; a file system fails."""
    store.write("imports/1/x", TEN)
    key = f"imports/1/{name}"
    calls: list[Callable[[], object]] = [
        lambda: store.read(key), lambda: store.open(key), lambda: store.exists(key),
        lambda: store.write(key, TEN), lambda: store.remove(key), lambda: store.measure(key),
        lambda: list(store.list_files(f"{key}/")), lambda: store.digest(f"{key}/"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InvalidInputError, match="too long for a key"):
            call()
    longest = f"imports/1/{'x' * 220}"
    store.write(longest, TEN)
    assert store.read(longest) == TEN


def test_names_and_files_are_listed_by_whole_segments(store: Objects) -> None:
    for key in ("runs/r/1/log", "runs/r/1/p/z/0", "runs/r/10/log", "runs/rr/1/log", "runs/note"):
        store.write(key, b"xy")
    assert store.list_names("runs/") == ["note", "r/", "rr/"]
    assert store.list_names("runs/r/") == ["1/", "10/"]
    assert store.list_names("none/") == []
    assert list_keys(store, "runs/r/1/") == ["runs/r/1/log", "runs/r/1/p/z/0"]
    assert list_keys(store, "none/") == []
    (file,) = store.list_files("runs/r/1/", deep=False)
    assert (file.key, file.size) == ("runs/r/1/log", 2)
    assert file.modified > 1.7e9
    assert store.exists("runs/r")
    assert store.exists("runs/r/1/p/")
    assert not store.exists("runs/r/1/p/y")
    assert not store.exists("run/")


@pytest.mark.parametrize("store", STORES, indirect=True)
def test_an_encoded_slash_is_no_slash(store: Objects) -> None:
    """Except where addresses are signed: there it is refused."""
    test_strange_names_keep_their_form(store, "imports/1/a%2Fb")


@pytest.mark.s3
@pytest.mark.parametrize("store", ["bucket", "signed"], indirect=True)
def test_marks_of_folders_that_a_console_has_left_are_no_files(
    store: Objects, s3: S3Server, tmp_path: Path
) -> None:
    """An empty object whose key ends in a slash; the client takes the slash off."""
    store.write("runs/r/1/log", TEN)
    store.write("runs/r/1/empty", b"")
    names = ("", "runs/", "runs/r/", "runs/r/1/", "runs/r/1/alone/")
    for name in names:
        s3.ask("PUT", f"{store.address}{name}".removeprefix("s3://"))
    try:
        assert store.list_names("runs/") == ["r/"]
        assert store.list_names("runs/r/1/") == ["alone/", "empty", "log"]
        assert list_keys(store, "runs/") == ["runs/r/1/empty", "runs/r/1/log"]
        assert [file.key for file in store.list_files("runs/", deep=False)] == []
        assert store.copy_to("runs/r/1/", tmp_path) == store.digest("runs/r/1/")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "log"]
        place = store.locate("runs/r/")
        assert isinstance(place, RemotePath)
        assert place.list_sizes() == {"1/empty": 0, "1/log": 10}
        assert not store.exists("runs/r/1/alone/")
        store.remove("runs/r/")
        assert not store.exists("runs/")
    finally:
        for name in names:
            s3.ask("DELETE", f"{store.address}{name}".removeprefix("s3://"))


@pytest.mark.s3
@pytest.mark.parametrize("store", ["bucket", "signed"], indirect=True)
def test_a_key_that_is_no_path_is_named_by_who_lists_it(store: Objects, s3: S3Server) -> None:
    """S3's client fails for the whole listing, which must not look as if the store was away."""
    store.write("imports/1/x", TEN)
    odd = f"{store.address}imports/1/a%0Ab".removeprefix("s3://")
    s3.ask("PUT", odd)
    try:
        place = store.locate("imports/1/")
        assert isinstance(place, RemotePath)
        calls: list[Callable[[], object]] = [
            lambda: list_keys(store, "imports/1/"), lambda: store.list_names("imports/1/"),
            lambda: store.digest("imports/1/"), lambda: store.remove("imports/1/"),
            place.list_sizes,
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(UnavailableError, match=r"no path '.*imports/1/a\\nb'") as caught:
                call()
            assert not isinstance(caught.value, TemporaryError)  # it is not tried again
        assert store.read("imports/1/x") == TEN
    finally:
        s3.ask("DELETE", odd)


def test_removing_takes_a_prefix_or_a_file_and_no_neighbour(store: Objects) -> None:
    for key in ("imports/a/one/x", "imports/a/one/y/z", "imports/a/oneself", "imports/b/x"):
        store.write(key, TEN)
    store.remove("imports/a/one/")
    assert list_keys(store, "imports/") == ["imports/a/oneself", "imports/b/x"]
    store.remove("imports/a/one/")
    store.remove("imports/a/oneself")
    assert not store.exists("imports/a/")
    assert list_keys(store, "imports/") == ["imports/b/x"]


@pytest.mark.long
def test_more_files_than_one_request_lists(store: Objects, tmp_path: Path) -> None:
    with store.filling("imports/many/") as folder:
        for number in range(1100):
            (folder / f"{number:04}").touch()
    assert len(list_keys(store, "imports/many/")) == 1100
    assert len(store.list_names("imports/many/")) == 1100
    store.remove("imports/many/")
    assert not store.exists("imports/many/")


def test_a_folder_is_filled(store: Objects) -> None:
    store.prepare("imports/1/")
    with store.filling("imports/1/") as folder:
        (folder / "p.zarr" / "c").mkdir(parents=True)
        (folder / "p.zarr" / "c" / "0").write_bytes(TEN)
        (folder / "p.zarr" / "zarr.json").write_bytes(b"{}")
    assert list_keys(store, "imports/1/") == ["imports/1/p.zarr/c/0", "imports/1/p.zarr/zarr.json"]
    assert store.exists("imports/1/p.zarr")
    assert store.read("imports/1/p.zarr/c/0") == TEN


def test_a_folder_takes_the_place_of_an_older_one(store: Objects) -> None:
    for name in ("old", "both"):
        store.write(f"runs/r/1/products/water/{name}", b"old")
    with store.replacing("runs/r/1/products/water/") as folder:
        assert list(folder.iterdir()) == []
        for name in ("new", "both"):
            (folder / name).write_bytes(b"new")
        assert store.read("runs/r/1/products/water/both") == b"old"
    prefix = "runs/r/1/products/water/"
    assert list_keys(store, prefix) == [f"{prefix}both", f"{prefix}new"]
    assert store.read(f"{prefix}both") == b"new"


def test_a_failed_replacement_leaves_what_was_there(store: Objects) -> None:
    def write(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise RuntimeError("the writer failed")

    store.write("runs/r/1/products/water/old", b"old")
    with pytest.raises(RuntimeError), store.replacing("runs/r/1/products/water/") as folder:
        write(folder)
    assert list_keys(store, "runs/") == ["runs/r/1/products/water/old"]


def test_the_digest_is_of_names_and_contents(store: Objects) -> None:
    assert store.digest("imports/1/") is None
    store.write("imports/1/a", TEN)
    store.write("imports/1/b/c", b"")
    expected = digest_json({"a": digest_bytes(TEN), "b/c": digest_bytes(b"")})
    assert store.digest("imports/1/") == expected
    assert store.measure("imports/1/") >= len(TEN)
    assert store.measure("imports/1/a") >= len(TEN)
    assert store.measure("") >= len(TEN)
    assert store.measure("imports/none/") == 0


def test_files_are_copied_out_and_lent(store: Objects, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    store.write("imports/1/a", content)
    store.write("imports/1/b/c", TEN)
    target = tmp_path / "copy"
    target.mkdir()
    assert store.copy_to("imports/1/", target) == store.digest("imports/1/")
    assert (target / "a").read_bytes() == content
    with store.copied("imports/1/") as folder:
        assert (folder / "b" / "c").read_bytes() == TEN
    with store.copied("imports/none/") as folder:
        assert not (folder / "b").exists()
    with pytest.raises(NotFoundError):
        store.copy_to("imports/none/", tmp_path / "copy")


def test_bytes_go_from_one_store_to_the_other_and_back(store: Objects, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = ObjectFolder(tmp_path / "first"), ObjectFolder(tmp_path / "second")
    first.write("imports/1/a", TEN)
    first.write("imports/1/b/c", b"")
    store.write("imports/1/other", b"goes")
    digest = first.digest("imports/1/")
    assert copy_prefix(first, store, "imports/1/") == digest == store.digest("imports/1/")
    assert copy_prefix(store, second, "imports/1/") == digest == second.digest("imports/1/")
    assert copy_prefix(store, second, "imports/none/") is None
    assert second.digest("imports/1/") == digest


def test_what_is_appended_is_seen_when_it_is_saved(store: Objects, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch" / "log"
    log = store.append("runs/r/1/log.txt", scratch)
    with log.path.open("ab") as target:
        target.write(b"one\n")
    log.save()
    assert store.read("runs/r/1/log.txt") == b"one\n"
    again = store.append("runs/r/1/log.txt", scratch)
    with again.path.open("ab") as target:
        target.write(b"two\n")
    again.save()
    again.save(at_once=False)
    assert store.read("runs/r/1/log.txt") == b"one\ntwo\n"
    scratch.unlink(missing_ok=True)  # another machine goes on
    last = store.append("runs/r/1/log.txt", scratch)
    assert last.path.read_bytes() == b"one\ntwo\n"


def test_the_same_store_is_equal_and_found_by_its_address(store: Objects) -> None:
    answer = Grant(
        id="g", mode="write", prefix="imports/1/", root=store.address,
        expires="2100-01-01T00:00:00Z",
    )  # fmt: skip
    again = open_granted(answer, lambda: answer)
    assert again == store
    assert hash(again) == hash(store)
    store.write("imports/1/a", TEN)
    assert again.read("imports/1/a") == TEN
    assert store.find_fault(for_writing=True) is None
