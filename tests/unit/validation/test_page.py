"""The page names every check, with the meaning and the remedy that reports show."""

import re
from pathlib import Path

from skerry.validation.registry import list_checks

PAGE = Path(__file__).parents[3] / "platform/library/validation.md"


def test_the_page_says_what_the_registry_says() -> None:
    pattern = r"^\| `([a-z]+\.[a-z-]+)` \| (.+) \| (.+) \|$"
    rows = re.findall(pattern, PAGE.read_text("utf-8"), re.MULTILINE)
    text = [(name, meaning.removesuffix(" *(deep)*"), remedy) for name, meaning, remedy in rows]
    assert text == [(check.name, check.meaning, check.remedy) for check in list_checks()]
    deep = {name for name, meaning, _ in rows if meaning.endswith("*(deep)*")}
    assert deep == {check.name for check in list_checks() if check.deep}
