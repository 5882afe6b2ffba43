"""Looks at every part of the platform now and then, and remembers since when each does as it does.

It knows neither database nor hub, so that nothing that fails there makes it silent. What it tells
is for strangers: words of its own, and nothing that a part says of addresses or places.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import ValidationError

from skerry.core.time import utc_now
from skerry.models.notices import Notices
from skerry.models.status import PartState, PartStatus, StatusReport

SLOW_S = 2.0
_ANSWER_WITHIN_S = 5.0

_TITLES = {
    "proxy": "The platform's address",
    "hub": "Login and notebook servers",
    "api": "Catalogue, files and jobs",
    "maps": "Maps",
    "dashboards": "Dashboards",
    "worker": "Runs",
    "gateway": "Dask clusters",
}
_REASONS = {
    "database": "Its database cannot be used.",
    "objects": "Its object store cannot be used.",
    "hub": "Nobody can log in; what is public is shown.",
    "rounds": "It takes no new runs.",
    "attempts": "It cannot start runs.",
}
_REASONS_OF = {
    "dashboards": {"hub": "Its pages need a login, and nobody can log in."},
    "worker": {"hub": "New runs wait for the hub; those under way go on."},
}


class StatusBoard:
    """The parts of a platform, and how they do.

    Parameters
    ----------
    parts
        Name of each part, and the address that says whether it can work.
    notices
        Where planned maintenance and the last end-to-end run are told; None for nowhere.
    clock
        Tells the time.
    """

    def __init__(
        self, parts: Mapping[str, str], notices: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:  # fmt: skip
        self._parts = dict(parts)
        self._notices_at = notices
        self._clock = clock
        self._statuses: dict[str, PartStatus] = {}
        self._notices = Notices()
        self._seen = clock()

    async def look(self) -> None:
        """Ask all parts at once."""
        async with httpx.AsyncClient(timeout=_ANSWER_WITHIN_S, trust_env=False) as client:
            asked = [self._look_at(client, name, url) for name, url in self._parts.items()]
            await asyncio.gather(*asked, self._read_notices(client))
        self._seen = self._clock()

    def report(self) -> StatusReport:
        """Return how the platform does."""
        parts = [self._statuses[name] for name in self._parts if name in self._statuses]
        return StatusReport(
            summary=_sum_up(parts), parts=parts, seen=self._seen, notices=self._current_notices()
        )

    def _current_notices(self) -> Notices:
        """Return what was last told, without maintenance that has ended since."""
        planned = self._notices.maintenance
        if planned is None or planned.ends > self._clock():
            return self._notices
        return self._notices.model_copy(update={"maintenance": None})

    async def _look_at(self, client: httpx.AsyncClient, name: str, url: str) -> None:
        state, detail = await _ask(client, name, url)
        known = self._statuses.get(name)
        since = known.since if known is not None and known.state is state else self._clock()
        self._statuses[name] = PartStatus(
            name=name, title=_TITLES.get(name, name), state=state, since=since, detail=detail
        )

    async def _read_notices(self, client: httpx.AsyncClient) -> None:
        """Read what the api tells everybody; while it is away, what it told before stays."""
        if self._notices_at is None:
            return
        try:
            answer = await client.get(self._notices_at)
            if answer.status_code == HTTPStatus.OK:
                self._notices = Notices.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError):
            return


async def _ask(client: httpx.AsyncClient, name: str, url: str) -> tuple[PartState, str]:
    begin = time.monotonic()
    try:
        answer = await client.get(url)
    except httpx.HTTPError:
        return PartState.AWAY, "It does not answer."
    taken = time.monotonic() - begin
    facts = _read_object(answer)
    if not answer.is_success:
        return PartState.AWAY, _explain(name, facts.get("missing")) or "It answers with a fault."
    if limits := _explain(name, facts.get("limited")):
        return PartState.IN_PART, limits
    if taken > SLOW_S:
        return PartState.SLOW, f"It took {taken:.0f} s to answer."
    return PartState.WORKS, ""


def _read_object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        facts = answer.json()
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _explain(name: str, lacking: Any) -> str:
    """Return in our own words what a part lacks: its own may name places inside."""
    if not isinstance(lacking, dict) or not lacking:
        return ""
    words = _REASONS | _REASONS_OF.get(name, {})
    known = [words[thing] for thing in lacking if thing in words]
    return " ".join(known) or "It waits for something that it needs."


def _sum_up(parts: list[PartStatus]) -> str:
    away = [part.title for part in parts if part.state is PartState.AWAY]
    hindered = [part for part in parts if part.state in (PartState.SLOW, PartState.IN_PART)]
    if not parts:
        return "Nothing has been looked at yet."
    if away:
        verb = "is" if len(away) == 1 else "are"
        return f"{len(away)} of {len(parts)} parts {verb} away: {', '.join(away)}."
    if hindered:
        return "Everything answers, but not all of it works as it should."
    return "Everything works."
