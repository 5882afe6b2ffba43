import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.safe.attributes import read_attributes, read_named
from skerry.products.safe.files import list_folder
from skerry.products.safe.product import SafeProduct, load_format
from skerry.products.sensors.mapping import load_mapping
from skerry.products.stores import archives

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(safe: Path, tmp_path: Path) -> Path:
    """Return a copy of the simulated product whose files may be replaced, not changed in place."""
    target = tmp_path / safe.name
    shutil.copytree(safe, target, copy_function=os.link)
    return target


def _replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def _refused(path: Path) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        open_product(path)
    assert caught.value.remedy
    return caught.value


def test_a_folder_that_is_not_a_product(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("sea")
    assert str(tmp_path) in _refused(tmp_path).what


def test_a_file_that_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "notes.zip"
    path.write_bytes(b"not a zip archive")
    assert "notes.zip" in _refused(path).what


def test_a_file_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(b"II*\0")
    assert (
        "scene.tif is not a product that Skerry knows: it is a single GeoTIFF"
        in _refused(path).what
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("S1A_EW_SLC__1SDH_20260501T165159.SAFE", "Sentinel-1 EW SLC"),
        ("S3B_OL_2_WFR____20260501T093055.SEN3", "Sentinel-3 OL level 2 WFR"),
    ],
)
def test_a_type_that_is_not_read_is_named(tmp_path: Path, name: str, words: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    mark = "manifest.safe" if name.startswith("S1") else "xfdumanifest.xml"
    (folder / mark).write_text("<a/>")
    assert f"is a {words} product, which Skerry does not read" in _refused(folder).what


def test_an_archive_without_product(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "other.zip" in _refused(path).what


def test_a_truncated_archive(safe_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(safe_zip.read_bytes()[:-1000])
    assert "cut.zip" in _refused(path).what


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_a_truncated_jp2_is_missing(copy: Path, keep: float) -> None:
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    content = band.read_bytes()
    _replace(band, content[: int(len(content) * keep)])
    _check_left_out(copy, band)


def _check_left_out(product: Path, band: Path) -> None:
    """A band is left out, and said to be damaged; the others are there."""
    result = open_product(product)
    other = result.attrs["other_metadata"]
    assert "measurements/reflectance/r10m/b04" in other["missing"]
    assert other["unhealed"][0].startswith("damaged: ")
    assert band.name in other["unhealed"][0]
    there = result["measurements/reflectance/r10m"].data_vars
    assert "b03" in there
    assert "b04" not in there


def test_a_product_all_of_whose_bands_are_truncated(copy: Path) -> None:
    for band in copy.glob("GRANULE/*/IMG_DATA/*/*.jp2"):
        _replace(band, band.read_bytes()[:50])
    assert "no measurement of" in _refused(copy).what
    assert "is damaged" in _refused(copy).what


def test_a_truncated_jp2_inside_a_good_archive(copy: Path, tmp_path: Path) -> None:
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    content = band.read_bytes()
    _replace(band, content[: len(content) // 2])
    path = tmp_path / "product.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for item in sorted(copy.rglob("*.*")):
            if item.is_file():
                archive.write(item, Path(copy.name, item.relative_to(copy)).as_posix())
    _check_left_out(path, band)


@pytest.mark.parametrize("pattern", ["*_B04_10m.jp2", "MTD_MSIL2A.xml"])
@pytest.mark.parametrize("offset", [0, 60])
def test_a_hole_in_an_archive(copy: Path, tmp_path: Path, pattern: str, offset: int) -> None:
    path = tmp_path / "product.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(copy.rglob("*.*")):
            if item.is_file():
                archive.write(item, Path(copy.name, item.relative_to(copy)).as_posix())
        [member] = [item for item in archive.infolist() if Path(item.filename).match(pattern)]
    content = bytearray(path.read_bytes())
    # From the member's header on, or from within its compressed bytes.
    start = member.header_offset + (offset and 30 + len(member.filename) + offset)
    content[start : start + 300] = b"\xff" * 300
    path.write_bytes(content)
    assert Path(member.filename).name in _refused(path).what


def test_a_jp2_that_breaks_after_opening_is_named_when_read(copy: Path) -> None:
    tree = open_product(copy)
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    _replace(band, band.read_bytes()[:3000])
    with pytest.raises(InvalidInputError, match=band.name):
        tree["measurements/reflectance/r10m"]["b04"].compute()


def test_a_band_that_is_not_a_jp2(copy: Path) -> None:
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    _replace(band, b"<html>Service temporarily unavailable</html>" * 10)
    assert band.name in _refused(copy).what


def test_a_band_of_another_size(copy: Path) -> None:
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    other = next(copy.glob("GRANULE/*/IMG_DATA/R20m/*_B04_20m.jp2"))
    _replace(band, other.read_bytes())
    error = _refused(copy)
    assert band.name in error.what
    assert "(1, 300, 300)" in error.what


def test_broken_metadata(copy: Path) -> None:
    _replace(copy / "MTD_MSIL2A.xml", b"<broken>")
    assert "MTD_MSIL2A.xml" in _refused(copy).what


def test_metadata_without_a_needed_entry(copy: Path) -> None:
    text = (copy / "MTD_MSIL2A.xml").read_text("utf-8").replace("PRODUCT_START_TIME", "OTHER")
    _replace(copy / "MTD_MSIL2A.xml", text.encode())
    assert "PRODUCT_START_TIME" in _refused(copy).what


def _metadata_variants(document: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the document with one element removed, one emptied, one of junk, for each element."""
    seen = set()
    for number, element in enumerate(etree.fromstring(document).iter()):
        if number == 0 or element.tag in seen or not isinstance(element.tag, str):
            continue
        seen.add(element.tag)
        for change in ("removed", "emptied", "junk", "attributes"):
            root = etree.fromstring(document)
            target = list(root.iter())[number]
            if change == "removed":
                target.getparent().remove(target)
            elif change == "attributes":
                for name in target.attrib:
                    target.attrib[name] = "junk"
            elif not len(target):
                target.text = "" if change == "emptied" else "no number"
            yield f"{element.tag} {change}", etree.tostring(root)


def _read_metadata(product: SafeProduct) -> None:
    """Read everything that opening takes from the documents."""
    read_attributes(product)
    for name in product.mapping.entries:
        read_named(product, name, "10")
    for group in product.mapping.groups:
        if group.format == "s2-angles":
            load_format(group.format).read(product, group)


@pytest.mark.long
@pytest.mark.parametrize("pattern", ["MTD_MSIL2A.xml", "GRANULE/*/MTD_TL.xml"])
def test_no_entry_of_the_metadata_can_break_the_reader(copy: Path, pattern: str) -> None:
    (place,) = copy.glob(pattern)
    listed = list_folder(copy)
    refusals = []
    for what, content in _metadata_variants(place.read_bytes()):
        _replace(place, content)
        try:
            _read_metadata(SafeProduct(listed, load_mapping("sentinel_2_l2a")))
        except InvalidInputError as error:
            refusals.append((what, error.what))
    assert len(refusals) > 10
    assert [refusal for refusal in refusals if place.name not in refusal[1]] == []


def test_entities_are_not_resolved(copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("2026-05-01T00:00:00Z")
    text = (copy / "MTD_MSIL2A.xml").read_text("utf-8")
    head, _, tail = text.partition("?>")
    text = f'{head}?><!DOCTYPE x [<!ENTITY s SYSTEM "file://{secret}">]>{tail}'
    start = text.index("<PRODUCT_START_TIME>") + len("<PRODUCT_START_TIME>")
    text = text[:start] + "&s;" + text[text.index("</PRODUCT_START_TIME>") :]
    _replace(copy / "MTD_MSIL2A.xml", text.encode())
    _refused(copy)


def test_a_missing_tile_document(copy: Path) -> None:
    next(copy.glob("GRANULE/*/MTD_TL.xml")).unlink()
    assert "MTD_TL.xml" in _refused(copy).what


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "C:/evil.txt"]
)
def test_archive_members_that_climb_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "climbing.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    error = _refused(path)
    assert name in error.what
    assert "leads out of the archive" in error.what


def test_archive_members_that_are_links(tmp_path: Path) -> None:
    path = tmp_path / "linking.zip"
    link = zipfile.ZipInfo("product/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "product/link" in _refused(path).what


def test_archives_that_inflate_past_the_ratio(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(archives.RATIO_FROM_BYTES + 1))
    assert "zeros" in _refused(path).what


def test_archives_that_inflate_past_the_limit(safe_zip: Path) -> None:
    with pytest.raises(InvalidInputError, match="inflates to"):
        archives.Archive(safe_zip, max_bytes=10_000)


def test_a_zarr_that_is_cut(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "gr')
    assert str(tmp_path) in _refused(tmp_path).what


def test_a_zarr_without_arrays(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    assert "holds no array" in _refused(tmp_path).what
