"""From stored numbers to palette indices: index 0 is transparent, 1 to 255 are colours."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import InvalidInputError
from skerry.products.coding.packing import Packing

COLOURS = 255
"""Number of a palette's colours without the transparent colour."""

_HEX = re.compile("#[0-9a-fA-F]{6}")
_NO_DATA = {"no data", "nodata"}
"""Class names that mean no data; these pixels are drawn transparent."""
_SMALLEST_RANGE = 1e-6  # of the value itself: one more than 1e17 is 1e17
_TABLE_BITS = 16  # integers up to this wide are coloured by one table look-up


@dataclass(frozen=True)
class Category:
    """One class of a categorical variable: stored number, meaning and ``#rrggbb``."""

    value: int
    meaning: str
    colour: str


@dataclass(frozen=True)
class Style:
    """How a variable is drawn.

    Attributes
    ----------
    colormap
        A matplotlib colormap's name.
    minimum, maximum
        Physical values at the colormap's ends; values beyond take the end colours.
    categories
        If not None, stored numbers are classes and the other attributes do not count.
    """

    colormap: str = "viridis"
    minimum: float = 0.0
    maximum: float = 1.0
    categories: tuple[Category, ...] = ()

    @classmethod
    def from_variable(cls, variable: Mapping[str, Any]) -> Self:
        """Read the style of an item's ``skerry:variables`` entry.

        Raises
        ------
        InvalidInputError
            If a limit is not a finite number.
        """
        values = variable.get("flag_values")
        if values:
            return cls(categories=_read_categories(variable, [int(value) for value in values]))
        minimum = _read_number(variable, "display_min", 0.0)
        maximum = _read_number(variable, "display_max", 1.0)
        if maximum <= minimum:  # a constant product still has to be drawn
            maximum = minimum + max(1.0, abs(minimum) * _SMALLEST_RANGE)
        return cls(str(variable.get("colormap") or "viridis"), minimum, maximum)

    def change(
        self, *, minimum: float | None, maximum: float | None, colormap: str | None
    ) -> "Style":
        """Return this style with each parameter that is not None changed, after checking.

        Raises
        ------
        InvalidInputError
            If the colormap is unknown, or the minimum is not below the maximum.
        """
        changed = replace(
            self,
            minimum=self.minimum if minimum is None else minimum,
            maximum=self.maximum if maximum is None else maximum,
            colormap=self.colormap if colormap is None else colormap,
        )
        make_palette(changed)
        if not -np.inf < changed.minimum < changed.maximum < np.inf:
            raise InvalidInputError(
                f"min={changed.minimum:g} and max={changed.maximum:g} are not a range.",
                remedy="Give finite numbers with min below max.",
            )
        return changed


@lru_cache(maxsize=256)
def make_palette(style: Style) -> NDArray[np.uint8]:
    """Return the colours of a style, shape (256, 3), RGB; row 0 is the transparent index.

    Raises
    ------
    InvalidInputError
        If matplotlib knows no colormap of that name.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    palette = np.zeros((COLOURS + 1, 3), np.uint8)
    if style.categories:
        for index, category in enumerate(style.categories, start=1):
            palette[index] = np.round(np.array(to_rgb(category.colour)) * 255)
        return palette
    if style.colormap not in colormaps:
        raise InvalidInputError(
            f"There is no colormap {style.colormap!r}.",
            remedy="Use a matplotlib name such as viridis, turbo, RdYlGn or gray.",
        )
    sampled = colormaps[style.colormap].resampled(COLOURS)(np.arange(COLOURS))
    palette[1:] = np.round(sampled[:, :3] * 255)
    return palette


def index_colours(numbers: NDArray[Any], style: Style, packing: Packing) -> NDArray[np.uint8]:
    """Return the palette index of every stored number; 0 for nodata, NaN and unknown classes."""
    bits = numbers.dtype.itemsize * 8
    if numbers.dtype.kind in "iu" and bits <= _TABLE_BITS:
        return _make_table(style, packing).take(numbers.view(f"u{numbers.dtype.itemsize}"))
    return _compute_indices(numbers.view(packing.stored), style, packing)


@lru_cache(maxsize=256)
def _make_table(style: Style, packing: Packing) -> NDArray[np.uint8]:
    """Return the index of every number that the stored type can hold, in the order of its bits."""
    size = packing.stored.itemsize
    numbers = np.arange(2 ** (size * 8), dtype=f"u{size}").view(packing.stored)
    return _compute_indices(numbers, style, packing)


def _compute_indices(numbers: NDArray[Any], style: Style, packing: Packing) -> NDArray[np.uint8]:
    if style.categories:
        indices = np.zeros(numbers.shape, np.uint8)
        for index, category in enumerate(style.categories, start=1):
            indices[numbers == category.value] = index
        for number in packing.missing:
            indices[numbers == number] = 0
        return indices
    gain = COLOURS / (style.maximum - style.minimum)
    scale, offset = packing.factors
    wide = numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    steps = wide * (scale * gain) + (offset - style.minimum) * gain
    missing = np.isnan(steps)
    for number in packing.missing:
        missing |= numbers == number
    np.clip(steps, 0, COLOURS - 1, out=steps)
    steps[missing] = -1  # becomes index 0
    return (steps + 1).astype(np.uint8)


def _read_categories(variable: Mapping[str, Any], values: list[int]) -> tuple[Category, ...]:
    meanings = _split(variable.get("flag_meanings"))
    colours = _split(variable.get("flag_colors"))
    classes = (
        Category(
            value,
            meanings[at].replace("_", " ") if at < len(meanings) else str(value),
            colours[at] if at < len(colours) and _HEX.fullmatch(colours[at]) else f"C{at % 10}",
        )
        for at, value in enumerate(values[:COLOURS])
    )
    return tuple(flag_class for flag_class in classes if flag_class.meaning.lower() not in _NO_DATA)


def _read_number(variable: Mapping[str, Any], name: str, missing: float) -> float:
    value = variable.get(name)
    try:
        number = missing if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInputError(
            f"The catalogue gives {name}={value!r} for this variable.",
            remedy="Register the item with finite numbers there.",
        )
    return number


def _split(words: Any) -> list[str]:
    return words.split() if isinstance(words, str) else [str(word) for word in words or ()]
