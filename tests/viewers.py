"""Two viewers of the catalogue: an account of the platform, and a visitor without one."""

from skerry.core.ownership import ANONYMOUS, PLATFORM_OWNER, Viewer

MEMBER = Viewer(frozenset({PLATFORM_OWNER, "person:ann"}))


def choose_viewer(*, private: bool) -> Viewer:
    """Return the account, or the visitor."""
    return MEMBER if private else ANONYMOUS
