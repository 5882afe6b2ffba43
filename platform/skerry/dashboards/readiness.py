"""`/ready`: whether this program can do its work now; it needs the hub and nothing else."""

import json
import time
from http import HTTPStatus
from typing import Any

import httpx
from tornado.web import RequestHandler

from skerry.core.problems import MEDIA_TYPE, describe_problem
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
            missing = {"hub": reason} if reason else {}
            self._answer = Readiness(ready=not missing, missing=missing)
            self._answered_at = time.monotonic()
        return self._answer

    async def _ask(self) -> str | None:
        """Return why nobody can log in now; None when the hub answers."""
        try:
            async with httpx.AsyncClient(timeout=_WAIT_S, trust_env=False) as client:
                answer = await client.get(self._address)
        except httpx.HTTPError:
            return "The hub does not answer."
        return None if answer.is_success else f"The hub answers with status {answer.status_code}."


class ReadyHandler(RequestHandler):
    """`/ready`: 503 and the reason while the hub does not answer."""

    application: Any

    def initialize(self, check: HubCheck) -> None:
        """Take the check."""
        self._check = check

    async def get(self) -> None:
        """Answer everybody."""
        answer = await self._check.answer()
        if answer.ready:
            self.finish(answer.model_dump())
            return
        problem = describe_problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable",
            " ".join(f"{name}: {reason}" for name, reason in answer.missing.items()),
            "Try again shortly; 'skerry status' shows whether the hub is up.",
        )  # fmt: skip
        self.set_status(problem.status)
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(json.dumps(problem.model_dump() | answer.model_dump()))
