"""Which lines of a cell install packages, found in a time that is linear in their length."""

import pytest

from skerry.production.installing import find_install
from skerry.production.notebook_checks import check_runnable

LONG = 100_000


@pytest.mark.parametrize(
    "line",
    [
        "!pip install x", "  %pip install -U x", "out = !pip3 install x", "!! conda install -y x",
        "!cd a && /opt/bin/uv pip install x", "!a;~/b/pip install x",
        "!sudo env pip --quiet --no-input install x",
        "!python3.13 -m pip uninstall x", "!$PYTHON -m pip install x", "%system mamba install x",
    ],
)  # fmt: skip
def test_an_install_is_found(line: str) -> None:
    assert find_install(["x = 1", line]) == 2


@pytest.mark.parametrize(
    "line", ["pip install x", "!echo piping", "a = b != pip", "!ls install", "# !pip install x"]
)
def test_other_lines_pass(line: str) -> None:
    assert find_install([line]) is None


@pytest.mark.parametrize(
    "line",
    [
        " " * LONG, "a " * LONG, "! " + " " * LONG, "!" * LONG, "%" * LONG, "!" + ";" * LONG,
        "!" + ";pip -" * LONG, "!" + "env." * LONG, "!;" + "a/" * LONG, "!" + ";/" * LONG,
        "a" + " " * LONG + "= b",
    ],
    ids=lambda line: line[:5],
)  # fmt: skip
def test_long_lines_do_not_hold_the_api(line: str) -> None:
    assert find_install([line]) is None


@pytest.mark.parametrize(
    "source", ["x = " + "-" * LONG + "1", "x" + ".a" * LONG, "x = " + "(" * LONG]
)
def test_a_cell_nested_too_deeply_to_be_read_may_bind_anything(source: str) -> None:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}},
        {"cell_type": "code", "source": "y: Unknown = 1", "metadata": {"tags": ["parameters"]}},
    ]
    check_runnable({"cells": cells})
