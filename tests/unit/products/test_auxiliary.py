from pathlib import Path

import pytest

from skerry.core.digests import digest_bytes
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products import auxiliary
from skerry.products.auxiliary import AuxiliaryFolder, find_changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("2011", "2020"):
        (tmp_path / "arc" / version / "day").mkdir(parents=True)
        (tmp_path / "arc" / version / "day" / "d2.coef").write_text(f"1.0 {version}")
        (tmp_path / "arc" / version / "night.coef").write_text("2.0")
    return tmp_path / "arc"


def test_a_version_is_a_mapping_of_files(folder: Path) -> None:
    files = AuxiliaryFolder("arc", folder, "2011")
    assert list(files) == ["day/d2.coef", "night.coef"]
    assert len(files) == 2
    assert "night.coef" in files
    assert files.used == {}
    assert files["day/d2.coef"] == b"1.0 2011"
    assert files.describe() == {
        "folder": str(folder / "2011"),
        "version": "2011",
        "files": {"day/d2.coef": digest_bytes(b"1.0 2011")},
    }


def test_a_folder_without_version_is_one_itself(folder: Path) -> None:
    assert AuxiliaryFolder("arc", folder / "2020").version == "2020"


def test_only_files_that_were_looked_up_count_as_changed(folder: Path) -> None:
    files = AuxiliaryFolder("arc", folder, "2011")
    files["night.coef"]
    (folder / "2011" / "day" / "d2.coef").write_text("changed")
    assert find_changes(files.describe()) == []
    (folder / "2011" / "night.coef").write_text("changed")
    assert find_changes(files.describe()) == [str(folder / "2011" / "night.coef")]
    (folder / "2011" / "night.coef").unlink()
    assert find_changes(files.describe()) == [str(folder / "2011" / "night.coef")]


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        AuxiliaryFolder("arc", tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match="2012") as caught:
        AuxiliaryFolder("arc", folder, "2012")
    assert "2011, 2020" in caught.value.remedy
    with pytest.raises(InvalidInputError, match="not a valid version"):
        AuxiliaryFolder("arc", folder / "2011", "..")
    with pytest.raises(NotFoundError, match=r"d9\.coef"):
        AuxiliaryFolder("arc", folder, "2011")["d9.coef"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="no file"):
        AuxiliaryFolder("arc", tmp_path / "empty")


def test_a_huge_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auxiliary, "MAX_FILE_BYTES", 2)
    with pytest.raises(InvalidInputError, match="too many"):
        AuxiliaryFolder("arc", folder, "2011")["night.coef"]
