"""Attributes to and from metadata documents."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.products.safe.attribute_texts import format_value, write_attributes
from skerry.products.safe.attributes import find, nest, parse_text
from skerry.products.safe.documents import Document, DocumentBuilder
from skerry.products.safe.files import list_folder
from skerry.products.sensors.records import Entry

SKELETON = b'<a:root xmlns:a="urn:a"><a:head/></a:root>'


def _read_back(builder: DocumentBuilder, folder: Path) -> Document:
    (folder / "document.xml").write_bytes(builder.to_bytes())
    return Document(list_folder(folder), "document.xml")


def test_texts_are_put_at_paths_and_found_there(tmp_path: Path) -> None:
    builder = DocumentBuilder(SKELETON)
    builder.put("head/name", "lagoon")
    builder.put("head/band[@id='2']/gain", "4.5")
    builder.put("head/band[@id='3']/gain", "5.5")
    builder.put("head/band[@id='2']/@unit", "W")
    builder.put("list/one[key='b']/value", "2")
    builder.put("list/file[2]", "second")
    document = _read_back(builder, tmp_path)
    assert document.text("head/name") == "lagoon"
    assert document.texts("head/band/gain") == ["4.5", "5.5"]
    assert document.texts("head/band[@id='2']/@unit") == ["W"]
    assert document.text("list/one[key='b']/value") == "2"
    assert len(document.all("list/file")) == 2
    assert document.texts("nowhere/name") == []


def test_namespaces_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "document.xml").write_text(
        '<x:r xmlns:x="urn:1" xmlns:y="urn:2"><y:one y:id="7">seven</y:one></x:r>'
    )
    document = Document(list_folder(tmp_path), "document.xml")
    assert document.text("one[@id='7']") == "seven"


@pytest.mark.parametrize(
    ("entry", "text", "value"),
    [
        (Entry(template="{}.SAFE"), "S2A.SAFE", "S2A"),
        (Entry(label="MGRS-{}"), "33UVV", "MGRS-33UVV"),
        (Entry(values={"NRT": "PT3H"}), "NRT", "PT3H"),
        (Entry(type="number", scale=0.001), "442.7", pytest.approx(0.4427)),
        (Entry(type="number", reciprocal=True), "10000", 1e-4),
        (Entry(type="time"), "2022-10-05T11:54:11.024Z", "2022-10-05T11:54:11.024000Z"),
        (Entry(type="time"), "2022-10-05T11:54:11", "2022-10-05T11:54:11Z"),
        (Entry(type="microseconds"), "1970-01-01T00:00:01.5Z", 1_500_000),
        (Entry(type="integer"), "022", 22),
        (Entry(type="boolean"), "true", True),
        (Entry(type="bbox"), "53 13 53 15 54 15 54 13", [13, 53, 15, 54]),
        (Entry(pattern="_T(\\d{2}[A-Z]{3})"), "A_B_T33UVV_N05", "33UVV"),
    ],
)
def test_texts_become_values(entry: Entry, text: str, value: Any) -> None:
    assert parse_text(entry, text) == value


def test_a_polygon_is_closed_and_longitude_comes_first() -> None:
    result = parse_text(Entry(type="polygon"), "53 13 53 15 54 15 54 13")
    assert result["coordinates"] == [[[13, 53], [15, 53], [15, 54], [13, 54], [13, 53]]]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Entry(type="number"), "many"),
        (Entry(type="number", reciprocal=True), "0"),
        (Entry(type="boolean"), "perhaps"),
        (Entry(type="time"), "yesterday"),
        (Entry(type="polygon"), "53 13 53"),
        (Entry(pattern="T(\\d+)"), "no number"),
    ],
)
def test_texts_that_are_none(entry: Entry, text: str) -> None:
    with pytest.raises((ValueError, InvalidInputError)):
        parse_text(entry, text)


@given(st.floats(-1e6, 1e6), st.sampled_from([1.0, 0.001, 1e6]))
def test_numbers_come_back(value: float, scale: float) -> None:
    entry = Entry(type="number", scale=scale)
    assert parse_text(entry, format_value(entry, value)) == pytest.approx(value, rel=1e-12)


@given(st.datetimes(timezones=st.just(__import__("datetime").UTC)))
def test_times_come_back(moment: Any) -> None:
    from skerry.core.time import format_time

    entry = Entry(type="time")
    value = format_time(moment)
    assert parse_text(entry, format_value(entry, value)) == value


def test_attributes_nest_and_lists_are_lists() -> None:
    attrs = nest(iter({"a/b/0/name": "x", "a/b/1/name": "y", "a/c/01": 1}.items()))
    assert attrs == {"a": {"b": [{"name": "x"}, {"name": "y"}], "c": {"01": 1}}}
    assert find(attrs, "a/b/1/name") == "y"
    assert find(attrs, "a/b/2/name") is None


def test_attributes_go_back_into_their_documents(tmp_path: Path) -> None:
    entries = {
        "item/id": Entry(document="main", path="head/URI", template="{}.SAFE"),
        "item/bands/1/gain": Entry(document="main", path="head/g[@b='1']", type="number"),
        "item/constant": Entry(value="x"),
        "item/absent": Entry(document="main", path="head/absent"),
    }
    builders = {"main": DocumentBuilder(SKELETON)}
    attrs = {"item": {"id": "S2A", "bands": [{}, {"gain": 4.25}], "constant": "x"}}
    write_attributes(attrs, entries, builders)
    document = _read_back(builders["main"], tmp_path)
    assert document.text("head/URI") == "S2A.SAFE"
    assert document.text("head/g[@b='1']") == "4.25"
    assert document.all("head/absent") == []
