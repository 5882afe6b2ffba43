"""Find the variables of a product that are red, green and blue."""

from collections.abc import Collection, Hashable

TRUE_COLOUR = "true_colour"
"""The name of the true-colour picture in the list of an item's variables."""

_BANDS = (("b04", "b03", "b02"), ("oa08_radiance", "oa06_radiance", "oa04_radiance"))
"""Names of the bands of Sentinel-2 and OLCI."""


def find_bands(variables: Collection[Hashable]) -> tuple[str, ...]:
    """Return the variables for red, green and blue; an empty list if one is missing."""
    return next((bands for bands in _BANDS if set(bands) <= set(variables)), ())


def list_drawn(variables: Collection[str]) -> list[str]:
    """Return what maps can draw of a product, with true colour first if it has the bands."""
    return [*([TRUE_COLOUR] if find_bands(variables) else []), *variables]
