"""Simulated products: small, deterministic, and marked as such wherever they appear."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skerry.products.simulate.kinds import SIMULATIONS, simulate
    from skerry.products.simulate.olci import simulate_olci
    from skerry.products.simulate.sentinel_1 import simulate_s1_iw_grd
    from skerry.products.simulate.sentinel_2 import simulate_s2_l1c, simulate_s2_l2a
    from skerry.products.simulate.slstr import simulate_slstr_rbt

_HOMES = {
    "SIMULATIONS": "kinds",
    "simulate": "kinds",
    "simulate_olci": "olci",
    "simulate_s1_iw_grd": "sentinel_1",
    "simulate_s2_l1c": "sentinel_2",
    "simulate_s2_l2a": "sentinel_2",
    "simulate_slstr_rbt": "slstr",
}

__all__ = [
    "SIMULATIONS",
    "simulate",
    "simulate_olci",
    "simulate_s1_iw_grd",
    "simulate_s2_l1c",
    "simulate_s2_l2a",
    "simulate_slstr_rbt",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"skerry.products.simulate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry.products.simulate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
