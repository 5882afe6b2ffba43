"""Access to the platform over HTTP, for notebooks, the command line and pipelines.

Each name is imported when it is first asked for: a command that lists runs needs no xarray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skerry.client.clusters import cluster
    from skerry.client.opening import open  # noqa: A004 - the name that notebooks use: skerry.open
    from skerry.client.publishing import publish
    from skerry.client.searching import search
    from skerry.client.session import Session, connect
    from skerry.client.stacking import stack

_HOMES = {
    "Session": "session",
    "cluster": "clusters",
    "connect": "session",
    "open": "opening",
    "publish": "publishing",
    "search": "searching",
    "stack": "stacking",
}
"""Name to the module of this package that has it."""

__all__ = ["Session", "cluster", "connect", "open", "publish", "search", "stack"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"skerry.client.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry.client' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
