"""KubeSpawner for a cluster whose API is away at times: what is not seen has not ended.

KubeSpawner reads pods and events from a memory that watches keep. A watch gives up after a minute
without Kubernetes, or does not begin if Kubernetes is away when the hub starts. KubeSpawner 7.1
goes on with its memory in both cases: old, or empty. From the empty one the hub would conclude that
all servers have ended, and end them.
"""

from typing import Any

from kubespawner import KubeSpawner
from kubespawner.reflector import ResourceReflector


class SightedSpawner(KubeSpawner):  # type: ignore[misc]
    """KubeSpawner that begins to watch again, and counts a server as running until it sees more."""

    async def _start_reflector(
        self, kind: str, reflector_class: Any, replace: bool = False, **options: Any
    ) -> Any:
        """Return what watches objects of a kind; what has given up is replaced."""
        present = type(self).reflectors.get(self._get_reflector_key(kind))
        ended = present is not None and has_ended(present)
        return await super()._start_reflector(kind, reflector_class, replace or ended, **options)

    async def can_see(self) -> bool:
        """Return whether pods are watched now; if not, the log says why."""
        try:
            await self._start_watching_pods()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody's server ends for it
            told = str(error) or type(error).__name__
            self.log.warning("Kubernetes cannot be asked for pods now: %s", told)
            return False
        return True

    async def poll(self) -> int | None:
        """Return whether the server has ended: None while Kubernetes cannot be asked, too."""
        if not await self.can_see():
            return None
        ended: int | None = await super().poll()
        return ended


def has_ended(reflector: ResourceReflector) -> bool:
    """Return whether a watch has given up, or could not begin."""
    loaded = reflector.first_load_future
    if not loaded.done():
        return False
    if loaded.cancelled() or loaded.exception() is not None:
        return True
    return reflector.watch_task is not None and bool(reflector.watch_task.done())
