"""One viewer's visit to one page: the person, and their session with the platform."""

from functools import cached_property

import panel as pn

from skerry.client.session import Session
from skerry.core.errors import ForbiddenError, UnauthenticatedError
from skerry.core.ownership import Verb, decide
from skerry.core.scopes import Scope
from skerry.dashboards.viewer import Viewer, find_viewer
from skerry.models.jobs import Job
from skerry.models.runs import Run

_NEEDED = {
    Verb.SEE: Scope.PRODUCTION_READ,
    Verb.READ_RECORDS: Scope.PRODUCTION_READ,
    Verb.CHANGE: Scope.PRODUCTION_OPERATE,
    Verb.CHOOSE: Scope.PRODUCTION_OPERATE,
}
"""The scope that the api asks for besides the rules."""


class Visit:
    """One viewer's visit to one page; it begins and ends with the page.

    Parameters
    ----------
    viewer
        The viewer.
    inside_url
        The platform's address from here; the page reaches the api through it, as everyone does.
    """

    def __init__(self, viewer: Viewer, inside_url: str) -> None:
        self.viewer = viewer
        self._inside_url = inside_url

    @cached_property
    def session(self) -> Session:
        """The session with the platform, with the viewer's token."""
        return self.viewer.open_session(self._inside_url)

    def require(self, scope: Scope) -> None:
        """Refuse a viewer whose token lacks `scope`, with a message for them.

        Raises
        ------
        ForbiddenError
            If it lacks it.
        """
        if not self.viewer.may(scope):
            raise ForbiddenError(
                f"The account {self.viewer.name!r} may not see this: it lacks the scope {scope}.",
                remedy="Ask the platform's administrator for a role that includes it, "
                "then log out and in again.",
            )

    def may(self, verb: Verb, thing: Job | Run) -> bool:
        """Return whether the rules, and the viewer's token, allow it with a job or a run.

        The api decides when it is asked; pages show only what it would not refuse.
        """
        allowed = thing.relation is not None and decide(thing.relation, verb)
        return allowed and self.viewer.may(_NEEDED[verb])

    def close(self) -> None:
        """Close the session's connections."""
        if "session" in self.__dict__:
            self.session.close()


def begin_visit(inside_url: str) -> Visit:
    """Return the visit of the page that is being built now; it ends with the page.

    Raises
    ------
    UnauthenticatedError
        If the page has no viewer, which the handlers before it exclude.
    """
    viewer = find_viewer(pn.state.curdoc)
    if viewer is None:
        raise UnauthenticatedError("Nobody is logged in.", remedy="Open the page again.")
    visit = Visit(viewer, inside_url)
    pn.state.on_session_destroyed(lambda _context: visit.close())
    return visit
