"""Skerry: from an Earth observation notebook to a reviewed, scheduled, traceable, served product.

What notebooks use is here and imported when first asked for::

    import skerry

    tree = skerry.open("collection/item")
    items = skerry.search(collections=["sentinel-2-l2a"], bbox=[13, 54, 15, 55])
    client = skerry.cluster(workers=2)
    skerry.publish(dataset, output="turbidity")
    day = skerry.run.data_day  # in a run; None in a session
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "__version__",
    "cluster",
    "open",
    "publish",
    "run",
    "search",
    "stack",
]

if TYPE_CHECKING:
    __version__: str

    from skerry.client import cluster, open, publish, search, stack  # noqa: A004
    from skerry.client.current_run import CurrentRun

    run: CurrentRun | None


def __getattr__(name: str) -> Any:
    """Import the client when one of its functions is first used."""
    if name == "__version__":
        return import_module("skerry.core.version").VERSION
    if name == "run":
        return import_module("skerry.client.current_run").find_current_run()
    if name in __all__:
        return getattr(import_module("skerry.client"), name)
    raise AttributeError(f"module 'skerry' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
