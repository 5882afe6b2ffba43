"""Where hub and gateway ask before a server or a Dask cluster starts: for budgets, for projects.

The api decides and keeps the sums. If it does not answer, nothing starts: otherwise every restart
of it would be a way around.
"""

import json
import logging
from typing import Any
from urllib.parse import quote

import aiohttp

from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.problems import read_problem
from skerry.core.settings import API_PREFIX

_RESERVATIONS = f"{API_PREFIX}/budgets/reservations"
_MEMBERSHIPS = f"{API_PREFIX}/memberships"
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_REFUSED = 300
_LOG = logging.getLogger("skerry.hub")


class BudgetDesk:
    """Where reservations are made and ended.

    Parameters
    ----------
    url
        The api's address inside the cluster.
    token
        The asking service's own token.
    hours
        For how long a start reserves.
    """

    def __init__(self, url: str, token: str, hours: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._hours = hours

    async def reserve(self, **order: Any) -> None:
        """Reserve what a start may use.

        Parameters
        ----------
        order
            The fields of `skerry.models.budgets.StartOrder`, without ``hours``.

        Raises
        ------
        SkerryError
            If a budget has not enough left, or nobody answers.
        """
        await self._ask("POST", _RESERVATIONS, json={**order, "hours": self._hours})

    async def end(self, reservation: str) -> None:
        """Count what has ended; if nobody answers, the worker's upkeep does it later."""
        try:
            await self._ask("DELETE", f"{_RESERVATIONS}/{reservation}")
        except SkerryError as error:
            _LOG.warning("The reservation %s is settled by the worker: %s", reservation, error)

    async def list_projects(self, person: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the platform's projects in which a person works, and those that they read.

        Raises
        ------
        SkerryError
            If nobody answers.
        """
        found = json.loads(
            await self._ask("GET", f"{_MEMBERSHIPS}/person:{quote(person, safe='')}")
        )
        return frozenset(found["works_in"]), frozenset(found["reads"])

    async def _ask(self, method: str, path: str, **content: Any) -> bytes:
        try:
            async with (
                aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT) as session,
                session.request(method, f"{self._url}{path}", **content) as answer,
            ):
                body, status = await answer.read(), answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(
                f"The api does not answer the hub ({type(error).__name__}).",
                remedy="Try again in a minute; without it nothing starts.",
            ) from None
        if status >= _REFUSED:
            raise read_problem(status, body, request=f"{method} {path}")
        return body
