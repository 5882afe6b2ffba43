"""EOPF Zarr, versions 2 and 3, in either of the two profiles that products in the world have."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skerry.products.eopf.metadata import open_metadata
    from skerry.products.eopf.profiles import PROFILES, to_profile
    from skerry.products.eopf.writing import write_eopf_zarr

_HOMES = {
    "PROFILES": "profiles",
    "open_metadata": "metadata",
    "to_profile": "profiles",
    "write_eopf_zarr": "writing",
}

__all__ = ["PROFILES", "open_metadata", "to_profile", "write_eopf_zarr"]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"skerry.products.eopf.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry.products.eopf' has no attribute {name!r}")
