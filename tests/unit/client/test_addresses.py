"""A name given by a user stays one segment of an address."""

import pytest

from skerry.client.session import join_address
from skerry.core.errors import InvalidInputError


@pytest.mark.parametrize(
    ("name", "segment"),
    [("lake", "lake"), ("lake?x", "lake%3Fx"), ("a#b", "a%23b")],
)
def test_every_character_of_a_name_belongs_to_it(name: str, segment: str) -> None:
    assert join_address("production", "jobs", name) == f"production/jobs/{segment}"


@pytest.mark.parametrize("name", ["", ".", "..", "../releases"])
def test_what_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a name"):
        join_address("production", "runs", name)
