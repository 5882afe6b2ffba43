"""Who owns things, and what everybody else may do with them: one table of rules.

Owners are texts: ``person:<name>``, ``project:<name>`` or, for another program that has an account
of its own in the hub, ``service:<name>``. A viewer speaks for one or more owners:
a person for themselves and for their projects. Scopes say what a token may do at all; these rules
say with which things.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skerry.core.errors import InvalidInputError
from skerry.core.settings import DEFAULT_PROJECT

PLATFORM_OWNER = f"project:{DEFAULT_PROJECT}"
"""The platform's own project: all accounts of the platform belong to it."""

_OWNER = re.compile(r"(person|project|service):[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")


class Relation(StrEnum):
    """What a thing is to a viewer, the strongest first."""

    KEEPER = "keeper"
    OWN = "own"
    PROJECT = "project"
    GIVEN_TO_CHANGE = "given to change"
    GIVEN_TO_SEE = "given to see"
    PUBLIC = "public"
    NONE = "none"


class Verb(StrEnum):
    """What somebody wants to do with a thing."""

    SEE_PUBLISHED = "see what is published"
    SEE = "see"
    READ_RECORDS = "read the logs and executed notebooks of"
    CHANGE = "change"
    CHOOSE = "choose the parameters of"
    GIVE = "give"
    REMOVE = "remove"


RULES: Mapping[Relation, frozenset[Verb]] = {
    Relation.KEEPER: frozenset(Verb),
    Relation.OWN: frozenset(Verb),
    Relation.PROJECT: frozenset(Verb),
    Relation.GIVEN_TO_CHANGE: frozenset(
        {Verb.SEE_PUBLISHED, Verb.SEE, Verb.READ_RECORDS, Verb.CHANGE}
    ),
    Relation.GIVEN_TO_SEE: frozenset({Verb.SEE_PUBLISHED, Verb.SEE}),
    Relation.PUBLIC: frozenset({Verb.SEE_PUBLISHED}),
    Relation.NONE: frozenset(),
}
"""The table of rules. `skerry.catalog.sight` and `skerry.production.sight` follow it.

To read the records of a run and to choose its parameters are verbs of jobs alone. A run acts for
the owner of its job: records may show whatever the owner sees, and parameters say what is read.
"""


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks at things.

    Attributes
    ----------
    owners
        The owners for whom they speak; none for anonymous visitors.
    is_keeper
        Whether they look after the whole platform.
    reads
        Owners whose things they see as if they were given to them.
    sees_withdrawn
        Whether they see withdrawn versions, in collections that belong or are given to them.
    """

    owners: frozenset[str] = frozenset()
    is_keeper: bool = False
    sees_withdrawn: bool = False
    reads: frozenset[str] = frozenset()

    @property
    def seen(self) -> frozenset[str]:
        """All owners whose things they see."""
        return self.owners | self.reads


ANONYMOUS = Viewer()
KEEPER = Viewer(is_keeper=True)


def act_for(owner: str, *others: str) -> Viewer:
    """Return what acts for an owner, such as a run: as all accounts, also for the platform."""
    return Viewer(frozenset({owner, PLATFORM_OWNER, *others}))


def relate(
    viewer: Viewer, owner: str, *, public: bool, shares: Mapping[str, Verb] | None = None
) -> Relation:
    """Return what a thing is to a viewer.

    Parameters
    ----------
    owner, public
        The thing's owner, and whether it is public.
    shares
        To whom it is given, and with which verb.
    """
    if viewer.is_keeper:
        return Relation.KEEPER
    if owner in viewer.owners:
        return Relation.OWN if owner.startswith("person:") else Relation.PROJECT
    given = {verb for holder, verb in (shares or {}).items() if holder in viewer.owners}
    if Verb.CHANGE in given:
        return Relation.GIVEN_TO_CHANGE
    if Verb.SEE in given or owner in viewer.reads:
        return Relation.GIVEN_TO_SEE
    return Relation.PUBLIC if public else Relation.NONE


def decide(relation: Relation, verb: Verb) -> bool:
    """Return whether the rules allow it."""
    return verb in RULES[relation]


def check_owner(text: str) -> str:
    """Return the name of an owner, if it is well formed, as it is kept and compared.

    The hub writes names of people in small letters, so ``person:Ada`` is ``person:ada``. Names of
    projects and services are as they are.

    Raises
    ------
    InvalidInputError
        If it is not ``person:<name>``, ``project:<name>`` or ``service:<name>``.
    """
    if _OWNER.fullmatch(text) is None:
        raise InvalidInputError(
            f"{text[:140]!r} is not the name of an owner.",
            remedy="Write person:<name>, project:<name> or service:<name>; a name has letters from "
            "a to z, digits, '.', '_', '-' and '@'.",
        )
    return text.lower() if text.startswith("person:") else text
