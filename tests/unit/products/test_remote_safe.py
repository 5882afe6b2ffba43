"""SAFE products behind addresses: archives, buckets, folders over HTTP."""

import shutil
from pathlib import Path

import pytest
import xarray as xr
from tests.object_servers import ACCESS_KEY, SECRET_KEY, locate, serve_bucket, serve_folder

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products import open_product
from skerry.storage import remote

GROUPS = ("measurements/reflectance/r60m", "conditions/geometry")


def complete_manifest(root: Path) -> None:
    """Name every file, as manifests of providers do, and one more that the product lacks."""
    manifest = root / "manifest.safe"
    text = manifest.read_text()
    files = [one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file()]
    lines = "".join(
        f'<dataObject><byteStream><fileLocation href="./{name}"/></byteStream></dataObject>'
        for name in [*files, "GRANULE/absent.jp2"]
        if name not in text
    )
    assert "</dataObjectSection>" in text
    manifest.write_text(text.replace("</dataObjectSection>", f"{lines}</dataObjectSection>"))


@pytest.fixture(scope="module")
def served(safe: Path, safe_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a SAFE folder and an archive of it."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(safe, folder / safe.name)
    complete_manifest(folder / safe.name)
    shutil.copy(safe_zip, folder / "packed.zip")
    return folder


@pytest.mark.parametrize("server", ["http", "s3"])
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_it_reads_as_on_disk(
    server: str, form: str, served: Path, safe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = safe.name if form == "folder" else "packed.zip"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with serve_folder(served) if server == "http" else serve_bucket(served) as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place.endpoint)
        remote._connect.cache_clear()
        tree, wanted = open_product(locate(place, name)), open_product(safe)
        assert tree.attrs["stac_discovery"] == wanted.attrs["stac_discovery"]
        assert set(tree.groups) == set(wanted.groups)
        for group in GROUPS:
            xr.testing.assert_identical(
                tree[group].to_dataset().compute(), wanted[group].to_dataset().compute()
            )
    remote._connect.cache_clear()


def test_opening_decodes_no_picture(served: Path, safe: Path) -> None:
    """Pictures are looked at, the first block of each, and not read."""
    with serve_folder(served) as server:
        open_product(locate(server, safe.name))
        asked = [one for one in server.seen if one.path.endswith(".jp2") and one.method == "GET"]
        assert asked
        assert all(one.range == f"bytes=0-{remote.BLOCK_BYTES - 1}" for one in asked)


def test_a_truncated_archive(served: Path, tmp_path: Path) -> None:
    data = (served / "packed.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with serve_folder(tmp_path) as server, pytest.raises(InvalidInputError, match=r"cut\.zip"):
        open_product(locate(server, "cut.zip"))


def test_a_manifest_that_leads_out(served: Path, safe: Path, tmp_path: Path) -> None:
    folder = tmp_path / safe.name
    shutil.copytree(served / safe.name, folder)
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
