"""Keys stay inside the store; removing is thorough, and harmless twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.storage.copying_objects import copy_prefix
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.objects import check_key, check_prefix, list_prefixes


@pytest.fixture
def objects(tmp_path: Path) -> ObjectFolder:
    root = tmp_path / "objects"
    root.mkdir()
    return ObjectFolder(root)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "a//b", "a/../b", "..", ".", "a/./b", "a\\b", "a\0b", "a/", "a\nb"],
)  # fmt: skip
def test_bad_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidInputError, match="not a key of the object store"):
        check_key(key)


@given(st.text(max_size=40))
def test_an_accepted_key_never_leaves_the_store(key: str) -> None:
    root = Path("/store")
    try:
        check_key(key)
    except InvalidInputError:
        return
    assert (root / key).resolve().is_relative_to(root)
    assert (root / key).resolve() != root


def test_a_prefix_ends_in_a_slash() -> None:
    assert check_prefix("imports/a/") == "imports/a/"
    with pytest.raises(InvalidInputError, match="not a prefix"):
        check_prefix("imports/a")


def test_prefixes_that_cover_a_key() -> None:
    assert list_prefixes("a/b/c") == ["a/", "a/b/"]
    assert list_prefixes("a/b/") == ["a/", "a/b/"]


def test_a_link_out_of_the_store_is_refused(objects: ObjectFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (objects.root / "imports").symlink_to(tmp_path)
    with pytest.raises(InvalidInputError, match="leads out"):
        objects.locate("imports/secret")


def test_removing_takes_everything_and_empty_parents_but_no_neighbour(
    objects: ObjectFolder,
) -> None:
    for prefix in ("imports/a/one/", "imports/a/two/"):
        (objects.create_folder(prefix) / "file").write_text("x")
    objects.remove("imports/a/one/")
    assert not objects.exists("imports/a/one/")
    assert objects.exists("imports/a/two/file")
    objects.remove("imports/a/two/")
    assert not objects.exists("imports/a/")
    assert objects.exists("imports/")
    objects.remove("imports/a/two/")


def test_two_may_remove_the_same_at_once(objects: ObjectFolder) -> None:
    for _ in range(5):
        folder = objects.create_folder("imports/a/one/")
        for number in range(200):
            (folder / str(number)).mkdir()
        both_ready = Barrier(2)

        def remove(both_ready: Barrier = both_ready) -> None:
            both_ready.wait(30)
            objects.remove("imports/a/one/")

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(remove), pool.submit(remove)]:
                done.result()
        assert not objects.exists("imports/a/")


@pytest.mark.parametrize("inside", [True, False])
def test_no_link_on_the_way_lends_another_s_bytes(
    objects: ObjectFolder, tmp_path: Path, *, inside: bool
) -> None:
    """A run may replace the folder of its products: what follows takes others' bytes for its."""
    others = objects.root / "runs/theirs/1" if inside else tmp_path / "outside"
    (others / "products" / "water").mkdir(parents=True)
    kept = others / "products" / "water" / "x.tif"
    kept.write_bytes(b"theirs")
    (objects.root / "runs/mine/1").mkdir(parents=True)
    (objects.root / "runs/mine/1/products").symlink_to(others / "products")
    prefix = "runs/mine/1/products/water/"
    for ask in (
        objects.measure, objects.exists, objects.remove, objects.list_names,
        lambda key: objects.create_folder(f"{key}more/"),
        lambda key: objects.write(f"{key}x.tif", b"mine"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match="symbolic link 'products'"):
            ask(prefix)
    assert objects.digest(prefix) is None
    backup = tmp_path / "backup"
    backup.mkdir()
    assert copy_prefix(objects, ObjectFolder(backup), prefix) is None, "nothing of theirs is copied"
    assert not list(backup.rglob("*.tif"))
    assert [entry.name for entry in kept.parent.iterdir()] == ["x.tif"]
    assert kept.read_bytes() == b"theirs"


def test_removing_a_link_leaves_what_it_points_to(objects: ObjectFolder) -> None:
    folder = objects.create_folder("imports/kept/")
    (folder / "file").write_text("x")
    (objects.root / "imports" / "link").symlink_to(folder)
    objects.remove("imports/link/")
    assert not objects.exists("imports/link/")
    assert objects.exists("imports/kept/file")


def test_folders_are_the_owner_s_alone(objects: ObjectFolder) -> None:
    assert objects.create_folder("imports/a/").stat().st_mode & 0o077 == 0
    assert objects.address == f"file://{objects.root}/"
