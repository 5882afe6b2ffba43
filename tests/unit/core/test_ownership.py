"""The table of rules, each cell by name, and the way to a relation."""

import itertools

import pytest

from skerry.core.errors import InvalidInputError
from skerry.core.ownership import (
    ANONYMOUS,
    KEEPER,
    PLATFORM_OWNER,
    Relation,
    Verb,
    Viewer,
    check_owner,
    decide,
    relate,
)

ANN = Viewer(frozenset({"person:ann", "project:lakes", PLATFORM_OWNER}))

ALLOWED = {
    **dict.fromkeys(("keeper", "own", "project"), ", ".join(Verb)),
    "given to change": (
        "see what is published, see, read the logs and executed notebooks of, change"
    ),
    "given to see": "see what is published, see",
    "public": "see what is published",
    "none": "",
}


@pytest.mark.parametrize(("relation", "verb"), list(itertools.product(Relation, Verb)))
def test_each_cell_of_the_table(relation: Relation, verb: Verb) -> None:
    assert decide(relation, verb) == (verb in ALLOWED[relation].split(", "))


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("viewer", "owner", "shares", "relation"),
    [
        (KEEPER, "person:bob", {}, Relation.KEEPER),
        (ANN, "person:ann", {}, Relation.OWN),
        (ANN, "project:lakes", {}, Relation.PROJECT),
        (ANN, PLATFORM_OWNER, {}, Relation.PROJECT),
        (ANN, "person:bob", {"person:ann": Verb.SEE}, Relation.GIVEN_TO_SEE),
        (ANN, "person:bob", {"project:lakes": Verb.CHANGE}, Relation.GIVEN_TO_CHANGE),
        (
            ANN,
            "person:bob",
            {"person:ann": Verb.SEE, "project:lakes": Verb.CHANGE},
            Relation.GIVEN_TO_CHANGE,
        ),
        (ANN, "person:bob", {"person:eve": Verb.CHANGE}, None),
        (ANN, "person:lakes", {"project:ann": Verb.CHANGE}, None),
        (ANN, "project:ann", {"person:lakes": Verb.CHANGE}, None),
        (ANONYMOUS, "person:ann", {"person:ann": Verb.CHANGE}, None),
    ],
)
def test_what_a_thing_is_to_a_viewer(
    viewer: Viewer,
    owner: str,
    shares: dict[str, Verb],
    relation: Relation | None,
    *,
    public: bool,
) -> None:
    expected = relation or (Relation.PUBLIC if public else Relation.NONE)
    assert relate(viewer, owner, public=public, shares=shares) == expected


@pytest.mark.parametrize("text", ["ann", "person:", "team:ann", "person:a b", "person:ann\n"])
def test_a_name_that_no_owner_has(text: str) -> None:
    with pytest.raises(InvalidInputError, match="not the name of an owner"):
        check_owner(text)
