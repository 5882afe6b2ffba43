"""Skerry: from an Earth observation notebook to a reviewed, scheduled, traceable, served product.

What notebooks use is here and imported when first asked for::

    import skerry

    tree = skerry.open("collection/item")
    items = skerry.search(collections=["sentinel-2-l2a"], bbox=[13, 54, 15, 55])
    client = skerry.cluster(workers=2)
    skerry.publish(dataset, output="turbidity")
    day = skerry.run.data_day  # in a run; None in a session

These names, and those of `skerry.processors`, are the public surface: they change only as
CONTRIBUTING.md says. All other modules are private, whatever they are called.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

# httpx imports its own command line, with rich and pygments: a third of the time that it takes to
# import. What is named as absent is not imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

_HOMES = {
    "ConflictError": "core.errors",
    "FORMATS": "products.writing",
    "ForbiddenError": "core.errors",
    "InvalidInputError": "core.errors",
    "NotFoundError": "core.errors",
    "Session": "client.session",
    "SkerryError": "core.errors",
    "UnauthenticatedError": "core.errors",
    "UnavailableError": "core.errors",
    "WithdrawnError": "core.errors",
    "check_bbox": "client.searching",
    "cluster": "client.clusters",
    "connect": "client.session",
    "filter_product": "products.selecting.filtering",
    "import_product": "pipelines.importing",
    "open": "client.opening",
    "publish": "client.publishing",
    "regrid_product": "products.regridding",
    "regrid_raster": "products.regridding",
    "regrid_swath": "products.regridding",
    "run_processor": "pipelines.processing",
    "search": "client.searching",
    "simulate_product": "simulate.kinds",
    "stack": "client.stacking",
    "validate_product": "validation.validating",
    "write_product": "products.writing",
}
"""Public name to the module that has it."""

__all__ = [
    "FORMATS",
    "ConflictError",
    "ForbiddenError",
    "InvalidInputError",
    "NotFoundError",
    "Session",
    "SkerryError",
    "UnauthenticatedError",
    "UnavailableError",
    "WithdrawnError",
    "__version__",
    "check_bbox",
    "cluster",
    "connect",
    "filter_product",
    "import_product",
    "open",
    "publish",
    "regrid_product",
    "regrid_raster",
    "regrid_swath",
    "run",
    "run_processor",
    "search",
    "simulate_product",
    "stack",
    "validate_product",
    "write_product",
]

if TYPE_CHECKING:
    from skerry.client.clusters import cluster
    from skerry.client.current_run import CurrentRun
    from skerry.client.opening import open  # noqa: A004 - the name that notebooks use
    from skerry.client.publishing import publish
    from skerry.client.searching import check_bbox, search
    from skerry.client.session import Session, connect
    from skerry.client.stacking import stack
    from skerry.core.errors import (
        ConflictError,
        ForbiddenError,
        InvalidInputError,
        NotFoundError,
        SkerryError,
        UnauthenticatedError,
        UnavailableError,
        WithdrawnError,
    )
    from skerry.pipelines.importing import import_product
    from skerry.pipelines.processing import run_processor
    from skerry.products.regridding import regrid_product, regrid_raster, regrid_swath
    from skerry.products.selecting.filtering import filter_product
    from skerry.products.writing import FORMATS, write_product
    from skerry.simulate.kinds import simulate_product
    from skerry.validation.validating import validate_product

    __version__: str
    run: CurrentRun | None


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    if name == "__version__":
        return import_module("skerry.core.version").VERSION
    if name == "run":
        return import_module("skerry.client.current_run").find_current_run()
    if name in _HOMES:
        return getattr(import_module(f"skerry.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
