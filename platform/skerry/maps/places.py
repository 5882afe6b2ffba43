"""Names of places, each with the first zoom that has room for it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import UnavailableError
from skerry.maps.mercator import EARTH_HALF, project

_FILE = Path(__file__).parent / "data/places.tsv"


@dataclass(frozen=True, eq=False)
class Places:
    """All places.

    Attributes
    ----------
    zooms
        First zoom at which each name is drawn.
    points
        Shape (n, 2): web mercator metres.
    names
        Names in the local spelling or in English.
    """

    zooms: NDArray[np.int64]
    points: NDArray[np.float64]
    names: tuple[str, ...]


@cache
def load_places() -> Places:
    """Return the places that the package ships.

    Raises
    ------
    UnavailableError
        If the file is missing or damaged.
    """
    try:
        lines = _FILE.read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        degrees = np.array([row[1:3] for row in rows], np.float64)
        zooms = np.array([int(row[0]) for row in rows])
        names = tuple(row[3] for row in rows)
    except (OSError, ValueError, IndexError) as error:
        raise UnavailableError(
            f"The base map's places cannot be read from {_FILE}: {error}.",
            remedy="Install Skerry again: the file comes with it.",
        ) from error
    return Places(zooms, project(degrees[:, 0], degrees[:, 1]), names)


def find_places(z: int, x: int, y: int, side: int, margin: int) -> list[tuple[str, int, int]]:
    """Return name, column and row of the places in a tile and up to `margin` pixels around it."""
    places = load_places()
    pixel = 2 * EARTH_HALF / 2**z / side
    columns = np.round((places.points[:, 0] + EARTH_HALF) / pixel).astype(np.int64) - x * side
    rows = np.round((EARTH_HALF - places.points[:, 1]) / pixel).astype(np.int64) - y * side
    near = (places.zooms <= z) & (np.abs(columns - side // 2) < side // 2 + margin)
    near &= np.abs(rows - side // 2) < side // 2 + margin
    return [(places.names[at], int(columns[at]), int(rows[at])) for at in np.flatnonzero(near)]
