"""The servers of people who are let in no more: they end, and what is on disk stays.

An open page of JupyterLab speaks with its server without the hub, for days. And whoever can change
their server can keep it from telling the hub anything. So the hub itself asks for the membership of
everybody whose server is at work, and ends the servers of those whom no group lets in any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.ioloop import PeriodicCallback

REASON = (
    "Your server ended: none of your groups has access to this platform any more. Your files are "
    "kept; what was in memory is lost. Ask the administrator of the platform which group you need."
)


class LivingServers:
    """The servers of all people, as the hub knows them.

    Parameters
    ----------
    app
        The hub.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._ending: dict[str, asyncio.Task[None]] = {}

    def follow(self, renew: Callable[[Any], Awaitable[Any]], every_s: float) -> None:
        """Ask again and again for the memberships of people whose servers are at work.

        Parameters
        ----------
        renew
            Asks for the membership of a person of the hub.
        every_s
            After how many seconds the next round begins, counted from the beginning of the last.
        """

        async def ask_for_all() -> None:
            for user in list(self._app.users.values()):
                if _list_ready(user):
                    try:
                        await renew(user)
                    except Exception:  # one person's trouble must not keep the others' servers
                        self._app.log.exception("The membership of %s was not asked", user.name)

        self._rounds = PeriodicCallback(ask_for_all, every_s * 1000)
        self._rounds.start()

    def end(self, user: Any) -> None:
        """Begin to end all servers of a person; nobody waits for it."""
        for name in _list_ready(user):
            server = f"{user.name}/{name}"
            if server not in self._ending:
                task = asyncio.ensure_future(self._end(user, name, server))
                self._ending[server] = task

    async def _end(self, user: Any, name: str, server: str) -> None:
        self._app.log.warning("The server %s ends: its person is let in no more", server)
        spawner = user.spawners[name]
        if spawner.has_trait("last_end"):
            spawner.last_end = REASON
        try:
            await user.stop(name)  # open pages lose their server here; then nothing leads to it
            await self._app.proxy.delete_user(user, name)
        except Exception:
            self._app.log.exception("The server %s was not ended", server)
        finally:
            del self._ending[server]


def _list_ready(user: Any) -> list[str]:
    """Return the names of a person's servers that neither start nor end just now."""
    return [name for name, spawner in user.spawners.items() if spawner.ready]
