"""SAFE products behind addresses: archives, buckets, folders over HTTP; all six types."""

import shutil
import zipfile
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from tests.object_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    ObjectServer,
    locate,
    serve_bucket,
    serve_folder,
)

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products import open_product
from skerry.products.safe import jp2
from skerry.products.safe.files import list_archived
from skerry.products.safe.remote_listing import list_remote
from skerry.products.stores.archives import ArchivedPath
from skerry.simulate import simulate_product
from skerry.storage import remote
from skerry.storage.s3 import connect

pytestmark = pytest.mark.slow

GROUPS = {
    "s2-l1c": (300, "measurements/reflectance/r60m"),
    "s2-l2a": (300, "conditions/geometry"),
    "olci-efr": (33, "measurements"),
    "olci-err": (33, "conditions/meteorology"),
    "slstr-rbt": (48, "measurements/inadir"),
    "s1-iw-grd": (128, "measurements"),
}
"""Type to its size and the group whose values are compared."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is filled with products as they are asked for."""
    return tmp_path_factory.mktemp("served")


LONG = ("s2-l1c", "olci-efr", "slstr-rbt")
"""Types that stand in files as another type's does, or in many."""
KINDS = [pytest.param(kind, marks=[pytest.mark.long] if kind in LONG else []) for kind in GROUPS]


@pytest.fixture(params=KINDS)
def product(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Return the SAFE folder of one type; beside it an archive, deflated, and one stored."""
    place = folder / request.param
    if not place.exists():
        result = simulate_product(
            request.param, place, day="2026-05-01", size=GROUPS[request.param][0]
        )
        for name, method in (("deflated", zipfile.ZIP_DEFLATED), ("stored", zipfile.ZIP_STORED)):
            pack(result, place / f"{name}.zip", method)
    return next(path for path in place.iterdir() if path.is_dir())


def pack(product: Path, archive: Path, method: int) -> None:
    with zipfile.ZipFile(archive, "w", method) as target:
        for path in sorted(product.rglob("*")):
            if path.is_file():
                target.write(path, Path(product.name, path.relative_to(product)).as_posix())


def serve(
    server: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AbstractContextManager[ObjectServer]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return serve_folder(folder) if server == "http" else serve_bucket(folder)


FORMS = [("http", ""), ("http", "deflated.zip"), ("http", "stored.zip"), ("s3", "")]


@pytest.mark.parametrize(("server", "form"), FORMS)
def test_it_reads_as_on_disk(
    server: str, form: str, product: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, with the same values; metadata are read once, and no byte twice."""
    with serve(server, product.parent, monkeypatch) as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place.endpoint)
        connect.cache_clear()
        actual, expected = open_product(locate(place, form or product.name)), open_product(product)
        assert actual.attrs["stac_discovery"] == expected.attrs["stac_discovery"]
        assert actual.attrs["other_metadata"]["missing"] == []
        check_what_was_asked(place, product.parent)
        assert set(actual.groups) == set(expected.groups)
        for group in actual.groups:
            assert set(actual[group].variables) == set(expected[group].variables)
        compared = next(
            item for item in expected.groups if item.endswith(GROUPS[product.parent.name][1])
        )
        xr.testing.assert_identical(
            actual[compared].to_dataset().compute(), expected[compared].to_dataset().compute()
        )
    connect.cache_clear()


def check_what_was_asked(place: ObjectServer, folder: Path) -> None:
    files = [
        item for item in place.seen if item.path != "/products"
    ]  # a bucket's listing has pages
    assert max(Counter(files).values()) == 1
    for path, count in place.sent.items():
        assert count <= (folder / path.removeprefix("/products").lstrip("/")).stat().st_size, path
    archive = folder / files[0].path.lstrip("/")
    if archive.suffix == ".zip":
        assert len(files) <= len(zipfile.ZipFile(archive).infolist())


def test_opening_decodes_no_picture(safe: Path) -> None:
    """Of pictures, the header is read."""
    with serve_folder(safe.parent) as server:
        open_product(locate(server, safe.name))
        requests = [
            item for item in server.seen if item.path.endswith(".jp2") and item.method == "GET"
        ]
        assert requests
        assert all(item.range == f"bytes=0-{jp2.HEADER_BYTES - 1}" for item in requests)


def test_of_a_large_picture_the_header_is_read(tmp_path: Path) -> None:
    root = tmp_path / "large.SAFE"
    root.mkdir()
    grid = GeoBox((900, 900), Affine(10.0, 0.0, 4e5, 0.0, -10.0, 6e6), "EPSG:32633")
    numbers = np.random.default_rng(1).integers(0, 2**15, (1, 900, 900)).astype(np.uint16)
    jp2.write_jp2(root / "large.jp2", numbers, grid)
    hrefs = '<byteStream><fileLocation href="./large.jp2"/></byteStream>'
    (root / "manifest.safe").write_text(f"<xfdu>{hrefs}</xfdu>")
    pack(root, tmp_path / "stored.zip", zipfile.ZIP_STORED)
    assert (root / "large.jp2").stat().st_size > 2**20
    with serve_folder(tmp_path) as server:
        header = jp2.check_jp2(
            list_remote(remote.parse_address(f"{server.url}/{root.name}")), "large.jp2"
        )
        assert (header.height, header.width) == (900, 900)
        assert server.sent[f"/{root.name}/large.jp2"] == jp2.HEADER_BYTES
        server.forget()
        archive = remote.parse_address(f"{server.url}/stored.zip")
        assert jp2.check_jp2(list_archived(ArchivedPath(archive, root.name)), "large.jp2") == header
        assert server.sent["/stored.zip"] < 2**19 + 4 * jp2.HEADER_BYTES
        assert len(server.seen) <= 4


def test_a_picture_shorter_than_it_says_is_missing_unread(safe: Path, tmp_path: Path) -> None:
    shutil.copytree(safe, tmp_path / safe.name)
    picture = next((tmp_path / safe.name).rglob("*_B04_10m.jp2"))
    picture.write_bytes(picture.read_bytes()[:-100])
    with serve_folder(tmp_path) as server:
        result = open_product(locate(server, safe.name)).attrs["other_metadata"]
    assert result["missing"] == ["measurements/reflectance/r10m/b04"]
    assert "it should have" in result["unhealed"][0]


def test_what_the_manifest_names_and_is_not_there_is_missing(safe: Path, tmp_path: Path) -> None:
    shutil.copytree(safe, tmp_path / safe.name)
    next((tmp_path / safe.name).rglob("*_B08_10m.jp2")).unlink()
    with serve_folder(tmp_path) as server:
        result = open_product(locate(server, safe.name)).attrs["other_metadata"]
    assert result["missing"] == ["measurements/reflectance/r10m/b08"]


def test_a_truncated_archive(safe_zip: Path, tmp_path: Path) -> None:
    data = safe_zip.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with serve_folder(tmp_path) as server, pytest.raises(InvalidInputError, match=r"cut\.zip"):
        open_product(locate(server, "cut.zip"))


def test_a_manifest_that_leads_out(safe: Path, tmp_path: Path) -> None:
    folder = tmp_path / safe.name
    shutil.copytree(safe, folder)
    manifest = folder / "manifest.safe"
    text = manifest.read_text()
    assert 'href="./' in text
    manifest.write_text(text.replace('href="./', 'href="../../', 1))
    with serve_folder(tmp_path) as server, pytest.raises(InvalidInputError, match="outside"):
        open_product(locate(server, safe.name))


def test_nothing_there(tmp_path: Path) -> None:
    with serve_folder(tmp_path) as server:
        for name in ("a.SAFE", "a.zip", "a.zarr", "a"):
            with pytest.raises((NotFoundError, InvalidInputError), match=f"/{name}"):
                open_product(locate(server, name))


def test_a_renamed_product_is_known_by_its_manifest(tmp_path: Path) -> None:
    made = simulate_product("olci-err", tmp_path, day="2026-05-01", size=33)
    renamed = made.rename(tmp_path / "mine.SEN3")
    assert open_product(renamed).attrs["other_metadata"]["mapping"] == "sentinel_3_olci_err"
    (renamed / "Oa08_radiance.nc").unlink()
    result = open_product(renamed)
    assert "measurements/oa08_radiance" in result.attrs["other_metadata"]["missing"]
    (renamed / "xfdumanifest.xml").write_text("<a/>")
    with pytest.raises(InvalidInputError, match="nor its manifest says"):
        open_product(renamed)
