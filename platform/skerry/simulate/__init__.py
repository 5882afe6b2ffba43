"""Simulated products: small, deterministic, and marked as such wherever they appear."""

from typing import TYPE_CHECKING, Any

from skerry.core.lazy_exports import find_export

if TYPE_CHECKING:
    from skerry.simulate.kinds import SIMULATIONS, simulate_product
    from skerry.simulate.olci.product import simulate_olci
    from skerry.simulate.sentinel_1.product import simulate_s1_iw_grd
    from skerry.simulate.sentinel_2.product import simulate_s2_l1c, simulate_s2_l2a
    from skerry.simulate.slstr.product import simulate_slstr_rbt

_HOMES = {
    "SIMULATIONS": "kinds",
    "simulate_olci": "olci.product",
    "simulate_product": "kinds",
    "simulate_s1_iw_grd": "sentinel_1.product",
    "simulate_s2_l1c": "sentinel_2.product",
    "simulate_s2_l2a": "sentinel_2.product",
    "simulate_slstr_rbt": "slstr.product",
}

__all__ = [
    "SIMULATIONS",
    "simulate_olci",
    "simulate_product",
    "simulate_s1_iw_grd",
    "simulate_s2_l1c",
    "simulate_s2_l2a",
    "simulate_slstr_rbt",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    return find_export(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
