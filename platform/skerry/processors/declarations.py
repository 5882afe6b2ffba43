"""Declarations of a processor: its inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class VariableInput:
    """A variable that a processor's function takes.

    Attributes
    ----------
    name
        Keyword of the function.
    units
        Units that the function expects; ``1`` for numbers without one.
    description
        What it is, for people.
    sources
        Product type, such as ``S02MSIL2A``, to the paths at which a product of that type may hold
        the variable, best first. The first paths of all inputs lie on one grid, so do the second
        ones, and so on.
    optional
        Whether the function works without it (it gets None then).
    """

    name: str
    units: str
    description: str
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class ProductInput:
    """Whole products that a processor's function takes as `xarray.DataTree`.

    Attributes
    ----------
    name
        Keyword of the function.
    description
        What it is, for people.
    product_types
        Types that the function knows; empty: any.
    many
        Whether the function takes a list of one product or more, instead of one.
    """

    name: str
    description: str
    product_types: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class AuxiliaryInput:
    """A versioned folder of auxiliary files: coefficients, nets, climatologies.

    The function takes it as ``Mapping[str, bytes]``, file name to content.

    Attributes
    ----------
    name
        Keyword of the function.
    description
        What it is, for people.
    """

    name: str
    description: str


Input = VariableInput | ProductInput | AuxiliaryInput


@dataclass(frozen=True)
class Output:
    """A variable that the processor returns.

    Attributes
    ----------
    name
        Name of the variable; a star replaces a part that depends on the input.
    units
        Units, ``1`` for numbers without one, empty for masks and classes.
    description
        What it is, for people.
    """

    name: str
    units: str
    description: str


def sentinel_2_sources(band: str, *product_types: str) -> dict[str, tuple[str, ...]]:
    """Return where Sentinel-2 products hold the reflectance of a band, 20 m before 60 m."""
    paths = tuple(f"measurements/reflectance/{grid}/{band}" for grid in ("r20m", "r60m"))
    return dict.fromkeys(product_types or ("S02MSIL2A",), paths)
