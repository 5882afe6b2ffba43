"""Somebody who looks at the platform all the time: searches, tiles, pages and logs of runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.soak.platforms import SoakedPlatform
from tests.soak.work import JOB, Client

_PAUSE_S = 0.3
_TILE = "12/2218/1319"  # has the products' place in it: 15.0 east, 54.14 north


class Looker:
    """Asks for things in turn; each is either right, or somebody is away.

    Parameters
    ----------
    soaked
        The platform.
    """

    def __init__(self, soaked: SoakedPlatform) -> None:
        self.client = Client(soaked)
        self.answers = 0
        self._stopped = threading.Event()

    def look(self) -> None:
        """Look until `stop`."""
        tasks: list[Callable[[], object]] = [self._look_at_items, self._look_at_run]
        while not self._stopped.is_set():
            for task in tasks:
                self.answers += task() is not None
                self._stopped.wait(_PAUSE_S)
        self.client.close()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look_at_items(self) -> object:
        asked = {"collections": JOB, "bbox": "14.9,54,15.1,54.3", "limit": 3, "sortby": "-created"}
        page = self.client.ask("GET", "api/stac/search", params=asked)
        if page is None or not page["features"]:
            return None
        item = page["features"][0]
        if item["properties"]["skerry:status"] != "published":
            self.client.wrong.append(f"a search shows {item['properties']}")
        tile = self.client.ask(
            "GET", f"maps/tiles/{JOB}/{item['id']}/field/{_TILE}.png",
            params={"min": 0, "max": 1000},
        )  # fmt: skip
        if tile is not None and not tile.startswith(b"\x89PNG"):
            self.client.wrong.append(f"a tile is {tile[:60]!r}")
        return tile

    def _look_at_run(self) -> object:
        page = self.client.ask("GET", "api/production/runs", params={"job": JOB, "limit": 5})
        if not page or not page["runs"]:
            return None
        run = page["runs"][-1]
        path = f"api/production/runs/{run['id']}"
        return (
            self.client.ask("GET", f"{path}/log") if run["epoch"] else self.client.ask("GET", path)
        )


@contextmanager
def looking_at(soaked: SoakedPlatform) -> Iterator[Looker]:
    """Have somebody look at a platform."""
    looker = Looker(soaked)
    thread = threading.Thread(target=looker.look, name="looker")
    thread.start()
    try:
        yield looker
    finally:
        looker.stop()
        thread.join()
