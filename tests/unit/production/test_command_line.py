"""Parameters given as words."""

from typing import Any

import pytest
from tests.unit.production.conftest import make_notebook

from skerry.cli.parameters import parse_pairs
from skerry.core.errors import InvalidInputError
from skerry.production.parameters import read_parameters

SCHEMA = read_parameters(
    make_notebook(
        "name: str\nshare: float = 0.5\nn: int = 1\nsure: bool = False\n"
        "box: list[float] | None = None\nkind: Literal['a', 'b'] = 'a'\nlevel: Literal[1, 2] = 1\n"
        "note: str | None = None\nday: date = date(2026, 5, 1)"
    )
)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("name=12", "12"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ("share=0.25", 0.25),
        ("share=NaN", "NaN"),
        ("box=[-Infinity]", "[-Infinity]"),
        ("n=3", 3),
        ("n=three", "three"),
        ("share=1e400", "1e400"),
        ("box=[1e400]", "[1e400]"),
        ("box=" + "[" * 100_000, "[" * 100_000),
        ("sure=true", True),
        ("sure=True", True),
        ("sure=False", False),
        ("sure=yes", "yes"),
        ("box=[1, 2.5]", [1, 2.5]),
        ("box=null", None),
        ("kind=b", "b"),
        ("level=2", 2),
        ("note=12", "12"),
        ("note=null", None),
        ("note=None", None),
        ("name=None", "None"),
        ("day={{ day - 1d }}", "{{ day - 1d }}"),
        ("day=2026-05-02", "2026-05-02"),
        ("unknown=1", "1"),
    ],
)
def test_words_become_values_of_the_schemas_types(word: str, value: Any) -> None:
    assert parse_pairs([word], SCHEMA) == {word.partition("=")[0]: value}


@pytest.mark.parametrize("words", [["name"], ["=1"], ["n=1", "n=2"]])
def test_broken_words_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        parse_pairs(words, SCHEMA)
