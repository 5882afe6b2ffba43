"""`/ready`: whether this program can do its work now, and whether the hub answers.

Without the hub nobody can log in, and all pages need a login. The program is ready all the same:
else nobody would be told why there are no pages.
"""

import time
from typing import Any

import httpx
from tornado.web import RequestHandler

from skerry.models.platform import Readiness

_WAIT_S = 3.0
_KEPT_S = 1.0


class HubCheck:
    """Asks whether the hub answers; an answer is kept for a second, because everybody may ask.

    Parameters
    ----------
    api_url
        The hub's internal API address.
    """

    def __init__(self, api_url: str) -> None:
        self._address = f"{api_url.rstrip('/')}/"
        self._answer = Readiness(ready=False, missing={})
        self._answered_at = -_KEPT_S

    async def answer(self) -> Readiness:
        """Return the newest answer."""
        if time.monotonic() - self._answered_at >= _KEPT_S:
            reason = await self._ask()
            limited = {"hub": reason} if reason else {}
            self._answer = Readiness(ready=True, missing={}, limited=limited)
            self._answered_at = time.monotonic()
        return self._answer

    async def find_fault(self) -> str | None:
        """Return why nobody can log in now; None when the hub answers."""
        return (await self.answer()).limited.get("hub")

    async def _ask(self) -> str | None:
        """Return why nobody can log in now; None when the hub answers."""
        try:
            async with httpx.AsyncClient(timeout=_WAIT_S, trust_env=False) as client:
                answer = await client.get(self._address)
        except httpx.HTTPError:
            return "The hub does not answer."
        return None if answer.is_success else f"The hub answers with status {answer.status_code}."


class ReadyHandler(RequestHandler):
    """`/ready`: it is, and `limited` names the reason while the hub does not answer."""

    application: Any

    def initialize(self, check: HubCheck) -> None:
        """Take the check."""
        self._check = check

    async def get(self) -> None:
        """Answer everybody."""
        self.finish((await self._check.answer()).model_dump())
