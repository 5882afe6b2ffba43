from datetime import UTC, datetime
from pathlib import Path

import pystac
import pytest

from skerry.client.opening import parse_source
from skerry.client.references import ItemReference, parse_reference, read_key
from skerry.core.errors import InvalidInputError, NotFoundError


def make_item() -> pystac.Item:
    return pystac.Item(
        "scene", geometry=None, bbox=None, datetime=datetime(2026, 5, 1, tzinfo=UTC),
        properties={}, collection="s2",
    )  # fmt: skip


def test_an_item_has_many_ways_to_be_named() -> None:
    expected = ItemReference("s2", "scene")
    assert parse_reference("s2/scene") == expected
    assert parse_reference(make_item()) == expected
    assert parse_reference({"collection": "s2", "id": "scene"}) == expected
    assert str(expected) == "s2/scene"


@pytest.mark.parametrize(
    "bad", ["s2", "s2/", "/", "s2/a/b", "s2/..", "s 2/a", 3, None, {"id": "a"}, make_item]
)
def test_what_names_no_item_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInputError):
        parse_reference(bad)


def test_paths_and_names_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "A.SAFE").mkdir()
    assert parse_source("A.SAFE") == Path("A.SAFE")
    assert parse_source("./s2/scene") == Path("./s2/scene")
    assert parse_source("~/A.SAFE") == tmp_path / "A.SAFE"
    assert parse_source(Path("s2/scene")) == Path("s2/scene")
    assert parse_source("s2/scene") == ItemReference("s2", "scene")


def test_a_key_is_what_follows_the_files_address() -> None:
    href = "http://127.0.0.1:8000/services/api/files/imports/1/product.zarr"
    item = {"id": "scene", "assets": {"product": {"href": href}, "far": {"href": "https://a/b"}}}
    assert read_key(item, "product") == "imports/1/product.zarr"
    with pytest.raises(InvalidInputError, match="https://a/b"):
        read_key(item, "far")
    with pytest.raises(NotFoundError, match="far, product"):
        read_key(item, "cog-b04")
