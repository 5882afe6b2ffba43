"""Each row of the page's table "What of CF is read" names a test that is here."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = Path(__file__).parents[4] / "platform" / "library" / "formats.md"


def test_every_row_has_its_test() -> None:
    table = PAGE.read_text().partition("## What of CF is read")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    names = [re.search(r"`(test_\w+)` \|$", row) for row in rows]
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    assert rows
    assert all(item is not None and f"def {item[1]}(" in tests for item in names)
