"""Errors as sentences."""

import pytest

from skerry.core.errors import SkerryError


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("There is no item 'a'.", "There is no item 'a'. Name another."),
        # such as what another program said
        ("Cell 5 raised: division by zero", "Cell 5 raised: division by zero. Name another."),
        ("Is it there?", "Is it there? Name another."),
    ],
)
def test_what_and_remedy_are_two_sentences(what: str, text: str) -> None:
    assert str(SkerryError(what, remedy="Name another.")) == text
