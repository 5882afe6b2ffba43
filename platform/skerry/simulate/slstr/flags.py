"""Flags of a simulated SLSTR product: bits as the product's mapping names them."""

import numpy as np
import numpy.typing as npt

from skerry.simulate.scene import Mask, SceneFields

TWILIGHT_ZENITH = 80.0, 90.0
"""Range of the sun's zenith angle, degrees, for twilight."""

UNFILLED_EXCEPTION = 128
_CLOUD = {"visible": 1, "1.37_threshold": 2, "gross_cloud": 128, "thin_cirrus": 256}
_CONFIDENCE = {
    "coastline": 1, "ocean": 2, "land": 8, "inland_water": 16, "unfilled": 32, "day": 1024,
    "twilight": 2048, "sun_glint": 4096, "summary_cloud": 16384,
}  # fmt: skip


def flag_exceptions(unfilled: Mask) -> npt.NDArray[np.uint8]:
    """Return a channel's exceptions: pixels without a measurement."""
    return np.where(unfilled, UNFILLED_EXCEPTION, 0).astype(np.uint8)


def flag_surface(
    fields: SceneFields, sun_zenith: npt.NDArray[np.float64], glint: Mask, unfilled: Mask
) -> dict[str, npt.NDArray[np.unsignedinteger]]:
    """Return ``cloud``, ``confidence`` and ``pointing`` of one grid."""
    day_below, night_above = TWILIGHT_ZENITH
    day = sun_zenith < day_below
    clouds = {
        "visible": fields.cloud & day,
        "1.37_threshold": (fields.cirrus | (fields.cloud_top_temperature < 250)) & day,  # noqa: PLR2004 -- K, above most vapour
        "gross_cloud": fields.cloud,
        "thin_cirrus": fields.cirrus,
    }
    confidence = {
        "coastline": _find_coast(fields.land),
        "ocean": fields.water & ~fields.lake,
        "land": fields.land,
        "inland_water": fields.lake,
        "unfilled": unfilled,
        "day": day,
        "twilight": ~day & (sun_zenith < night_above),
        "sun_glint": glint & day,
        "summary_cloud": fields.cloud | fields.cirrus,
    }
    return {
        "cloud": _join(clouds, _CLOUD),
        "confidence": _join(confidence, _CONFIDENCE),
        "pointing": np.zeros(fields.land.shape, np.uint8),
    }


def _join(masks: dict[str, Mask], bits: dict[str, int]) -> npt.NDArray[np.uint16]:
    total = np.zeros(next(iter(masks.values())).shape, np.uint16)
    for name, mask in masks.items():
        total[mask] |= np.uint16(bits[name])
    return total


def _find_coast(land: Mask) -> Mask:
    """Return a mask of land pixels next to water."""
    around = np.pad(land, 1, mode="edge")
    inland = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(land & ~inland)
