import shutil
import zipfile
from pathlib import Path

import pytest

from skerry.core.digests import digest_tree
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.pipelines.sources import digest_source, locate_source


@pytest.fixture
def product(tmp_path: Path) -> Path:
    root = tmp_path / "A.SAFE"
    (root / "GRANULE").mkdir(parents=True)
    (root / "manifest.safe").write_text("<manifest/>")
    (root / "GRANULE" / "b04.jp2").write_bytes(bytes(5000))
    return root


def test_a_folder_and_a_zip_of_it_have_one_digest(product: Path, tmp_path: Path) -> None:
    nested = Path(shutil.make_archive(str(tmp_path / "n"), "zip", tmp_path, "A.SAFE"))
    flat = Path(shutil.make_archive(str(tmp_path / "f"), "zip", product))
    assert digest_source(nested) == digest_source(product) == digest_source(flat)
    assert digest_source(product) == digest_tree(product)


def test_another_content_has_another_digest(product: Path) -> None:
    before = digest_source(product)
    (product / "GRANULE" / "b04.jp2").write_bytes(bytes(4999) + b"1")
    assert digest_source(product) != before


def test_a_damaged_archive_is_named(product: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "n"), "zip", product))
    with zipfile.ZipFile(archive) as opened:
        member = opened.getinfo("manifest.safe")
    content = bytearray(archive.read_bytes())
    content[member.header_offset + 30 + len(member.filename)] ^= 0xFF
    archive.write_bytes(bytes(content))
    with pytest.raises(InvalidInputError, match=r"n\.zip"):
        digest_source(archive)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(NotFoundError, match=r"absent\.SAFE"),
        locate_source(tmp_path / "absent.SAFE"),
    ):
        pass
