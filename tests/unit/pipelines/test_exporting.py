from pathlib import Path

import pytest

from skerry.core.errors import InvalidInputError
from skerry.pipelines import export_item


def test_a_folder_is_not_a_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is a folder"):
        export_item("c/i", tmp_path)
    with pytest.raises(InvalidInputError, match="does not exist"):
        export_item("c/i", tmp_path / "no" / "t.tif")
    assert list(tmp_path.iterdir()) == []
