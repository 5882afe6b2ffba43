"""Of which groups a person is a member at the provider, and what follows from it in the hub."""

from collections.abc import Collection, Mapping
from typing import Any

from skerry.core.scopes import PROJECTS_GROUP


def read_groups(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """Return the groups that claims name, None if they name none at all.

    All of them count: the answer of a provider, which has a size, limits how many there can be.

    Parameters
    ----------
    claims
        What the provider says of a person.
    path
        The claim, by its own name or, with dots, as a way into nested claims.
    """
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return None
    return frozenset(group for group in found if isinstance(group, str))


def is_account_of_project(user: Any) -> bool:
    """Return whether an account of the hub is a project's: nobody signs on with it."""
    return any(group.name == PROJECTS_GROUP for group in user.groups)


def apply_groups(user: Any, groups: Collection[str]) -> None:
    """Make a person a member of exactly these groups of the hub."""
    user.sync_groups(set(groups) - {PROJECTS_GROUP})
