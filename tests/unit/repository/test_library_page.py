"""The library's pages lead to each other."""

import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[3] / "platform" / "library"
PAGE = (LIBRARY / "README.md").read_text()


@pytest.mark.parametrize("page", sorted(LIBRARY.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (LIBRARY / target).exists(), target


def test_every_page_is_named() -> None:
    assert {page.name for page in LIBRARY.glob("*.md")} - {"README.md"} == set(
        re.findall(r"\((\w+\.md)\)", PAGE)
    )
