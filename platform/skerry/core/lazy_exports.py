"""Public names of a package whose modules are imported only when a name is first used.

`skerry` itself has a line like this of its own: importing it loads no other module of Skerry.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def find_export(package: str, homes: Mapping[str, str], name: str) -> Any:
    """Return what a package exports, for its ``__getattr__``.

    Parameters
    ----------
    package
        The package's full name.
    homes
        Public name to the module below the package that has it.
    name
        The name that is asked for.

    Raises
    ------
    AttributeError
        If the package does not export it.
    """
    if name in homes:
        return getattr(import_module(f"{package}.{homes[name]}"), name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")
