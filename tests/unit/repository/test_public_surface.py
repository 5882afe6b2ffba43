"""Notebooks and pages use public names only, and every public name is documented."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import skerry
import skerry.processors

ROOT = Path(__file__).parents[3]
PUBLIC = {"skerry": set(skerry.__all__), "skerry.processors": set(skerry.processors.__all__)}
PAGES = [ROOT / "README.md", *sorted((ROOT / "platform" / "library").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
NAMES = sorted(f"{module}.{name}" for module, names in PUBLIC.items() for name in names)


def read_code(path: Path) -> list[str]:
    """Return the pieces of Python in a notebook or a page."""
    if path.suffix == ".md":
        return re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), flags=re.DOTALL)
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def name_uses(code: str) -> Iterator[str]:
    """Yield what of skerry a piece of Python imports or takes as an attribute."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skerry":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (item.name for item in node.names if item.name.startswith("skerry."))
        elif isinstance(node, ast.Attribute):
            full = ast.unparse(node)
            if re.fullmatch(r"skerry\.\w+", full):
                yield full


def is_public(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return name == "skerry.processors" or last in PUBLIC.get(module, set())


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.name)
def test_code_uses_public_names_only(path: Path) -> None:
    used = {name for code in read_code(path) for name in name_uses(code)}
    assert {name for name in used if not is_public(name)} == set()


def test_private_names_are_found_where_they_stand() -> None:
    code = "import skerry.core\nfrom skerry.products import open_product\nskerry.secret(1)"
    result = {name for name in name_uses(code) if not is_public(name)}
    assert result == {"skerry.core", "skerry.products.open_product", "skerry.secret"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_speak_of_public_names_only(path: Path) -> None:
    named = set(re.findall(r"`(skerry(?:\.\w+)+)", path.read_text("utf-8")))
    assert {name for name in named if not is_public(name)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_has_words_of_its_own(name: str) -> None:
    module, _, last = name.rpartition(".")
    value = getattr(skerry if module == "skerry" else skerry.processors, last)
    if callable(value):
        assert value.__doc__


def test_the_page_lists_exactly_the_public_names() -> None:
    page = (ROOT / "platform" / "library" / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| `(skerry[\w.]+)` \| \S", page, flags=re.MULTILINE)
    assert sorted(rows) == NAMES
