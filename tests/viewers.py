"""Viewers of the catalogue: an account of the platform, an operator, a visitor without account."""

from dataclasses import replace

from skerry.core.ownership import ANONYMOUS, PLATFORM_OWNER, Viewer

MEMBER = Viewer(frozenset({PLATFORM_OWNER, "person:ann"}))
OPERATOR = replace(MEMBER, sees_withdrawn=True)


def choose_viewer(*, private: bool) -> Viewer:
    """Return the account, or the visitor."""
    return MEMBER if private else ANONYMOUS
