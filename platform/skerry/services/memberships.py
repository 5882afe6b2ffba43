"""Adds the projects of the platform to what the hub says of a person."""

import asyncio
import time
from dataclasses import replace

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from skerry.core.time import utc_now
from skerry.models.projects import Role
from skerry.projects.membership import Belonging, list_belonging
from skerry.services.identity import Identity, Verifier

_GOOD_FOR_S = 5.0
_CACHED_PEOPLE = 4096
_Belongings = dict[str, Belonging]


class MemberVerifier:
    """Finds a token's holder, with the projects that they belong to on this platform.

    Owners and members of a project speak for it, as the members of a hub group do; readers see
    what is its. An answer is good for five seconds, as the hub's. Requests that come at once, as
    those for the tiles of a map, share a question.

    Parameters
    ----------
    inner
        Who knows tokens.
    engine
        The database, for reading.
    """

    def __init__(self, inner: Verifier, engine: Engine) -> None:
        self._inner = inner
        self._engine = engine
        self._known: dict[str, tuple[float, _Belongings]] = {}
        self._asking: dict[str, asyncio.Task[_Belongings]] = {}

    async def verify(self, token: str) -> Identity | None:
        """Return the token's holder, or None; see `skerry.services.identity.Verifier`."""
        identity = await self._inner.verify(token)
        if identity is None or not identity.owner.startswith("person:"):
            return identity
        belonging = await self._find(identity.owner)
        reads = {name for name, found in belonging.items() if found.role is Role.READER}
        works = belonging.keys() - reads
        return replace(identity, groups=identity.groups | works, reads=frozenset(reads))

    async def _find(self, person: str) -> _Belongings:
        known = self._known.get(person)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        task = self._asking.get(person)
        if task is None:
            task = asyncio.create_task(self._ask(person))
            self._asking[person] = task
            task.add_done_callback(lambda done: self._settle(person, done))
        return await asyncio.shield(task)

    async def _ask(self, person: str) -> _Belongings:
        until = time.monotonic() + _GOOD_FOR_S
        found = await run_in_threadpool(self._read, person)
        if self._asking.get(person) is asyncio.current_task():  # nothing has changed meanwhile
            if len(self._known) >= _CACHED_PEOPLE:
                self._known.clear()
            self._known[person] = (until, found)
        return found

    def _settle(self, person: str, task: asyncio.Task[_Belongings]) -> None:
        if self._asking.get(person) is task:
            del self._asking[person]
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may

    async def close(self) -> None:
        """Close the connections of who knows tokens."""
        await self._inner.close()

    def forget(self) -> None:
        """Ask anew for everybody: a membership has changed in this process.

        What is being asked just now may be from before the change: it is not kept.
        """
        self._asking.clear()
        self._known.clear()

    def _read(self, person: str) -> _Belongings:
        with self._engine.connect() as connection:
            return list_belonging(connection, person, utc_now().date())
