"""The version stands once, in pyproject.toml."""

import re
import tomllib
from pathlib import Path

import skerry
from skerry.core.version import VERSION

ROOT = Path(__file__).parents[3]


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION == skerry.__version__


def test_no_module_spells_it_or_asks_the_package_for_it() -> None:
    for path in (ROOT / "platform" / "skerry").rglob("*.py"):
        text = path.read_text()
        assert not re.search(rf"version\w*\W+{re.escape(VERSION)}\b", text, re.IGNORECASE), path
        assert "skerry.__version__" not in text, path
        assert "from skerry import" not in text, path
