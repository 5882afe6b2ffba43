"""Quality flags of the simulated OLCI: kinds of surface, and problems of the measurement."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.atmosphere import Geometry
from skerry.simulate.scene import SceneFields
from skerry.simulate.solar_view import mirror_sun

Mask = npt.NDArray[np.bool_]

GLINT_RISK = 0.005
"""Glint reflectance from which the flag for glint risk is set."""
STRAY_PIXELS = 2
"""Distance in pixels over which bright pixels spread light."""


def flag_masks() -> dict[str, int]:
    """Return the bits of the flags, from the mapping of OLCI products."""
    attrs = load_mapping("sentinel_3_olci_efr").kinds["flags"].attrs
    return dict(zip(attrs["flag_meanings"].split(), attrs["flag_masks"], strict=True))


def make_flags(
    scene: SceneFields, geometry: Geometry, invalid: Mask, duplicated: Mask
) -> npt.NDArray[np.uint32]:
    """Return the flags, ``(rows, columns)`` uint32.

    Parameters
    ----------
    scene, geometry
        The scene and the viewing angles.
    invalid
        Pixels that were not seen.
    duplicated
        Columns that repeat the measurement of the column before, ``(columns,)``.
    """
    bright = scene.cloud | scene.ice
    glint = mirror_sun(geometry, scene) > GLINT_RISK
    raised: dict[str, Any] = {
        "land": scene.land,
        "coastline": scene.land & _widen(scene.water, 1),
        "fresh_inland_water": scene.lake,
        "bright": bright,
        "straylight_risk": _widen(bright, STRAY_PIXELS) & ~bright,
        "invalid": invalid,
        "duplicated": np.broadcast_to(duplicated, invalid.shape),
        "sun-glint_risk": glint,
    }
    masks = flag_masks()
    flags = np.zeros(invalid.shape, np.uint32)
    for name, where in raised.items():
        raised_here = where if name == "invalid" else where & ~invalid
        flags[raised_here] |= np.uint32(masks[name])
    return flags


def _widen(mask: Mask, pixels: int) -> Mask:
    """Return a mask grown by its neighbouring pixels, several times."""
    for _ in range(pixels):
        padded = np.pad(mask, 1, mode="edge")
        mask = (
            mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        )  # fmt: skip
    return mask
