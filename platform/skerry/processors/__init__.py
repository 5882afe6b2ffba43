"""Science: xarray in, xarray out. No files, no network.

Every processor is a plain function with its paper in the docstring and its coefficients as named
constants; it works on NumPy-backed and on lazy Dask-backed arrays alike.
"""

from typing import TYPE_CHECKING, Any

from skerry.core.lazy_exports import find_export

if TYPE_CHECKING:
    from skerry.processors.chlorophyll import ndci
    from skerry.processors.composite import composite_scenes
    from skerry.processors.declarations import (
        AuxiliaryInput,
        Output,
        ProductInput,
        VariableInput,
        sentinel_2_sources,
    )
    from skerry.processors.flags import select_flags
    from skerry.processors.masks import mask_classes, mask_clear, mask_water
    from skerry.processors.planck import brightness_temperature, planck_radiance
    from skerry.processors.reflectance import (
        radiance_to_reflectance,
        reflectance_to_radiance,
        sun_distance_factor,
    )
    from skerry.processors.registry import get_processor, list_processors, processor
    from skerry.processors.sar import backscatter, geolocation
    from skerry.processors.tie_points import interpolate_tie_points
    from skerry.processors.turbidity import turbidity_dogliotti2015

_HOMES = {
    "AuxiliaryInput": "declarations",
    "Output": "declarations",
    "ProductInput": "declarations",
    "VariableInput": "declarations",
    "backscatter": "sar",
    "brightness_temperature": "planck",
    "composite_scenes": "composite",
    "geolocation": "sar",
    "get_processor": "registry",
    "interpolate_tie_points": "tie_points",
    "list_processors": "registry",
    "mask_classes": "masks",
    "mask_clear": "masks",
    "mask_water": "masks",
    "ndci": "chlorophyll",
    "planck_radiance": "planck",
    "processor": "registry",
    "radiance_to_reflectance": "reflectance",
    "reflectance_to_radiance": "reflectance",
    "select_flags": "flags",
    "sentinel_2_sources": "declarations",
    "sun_distance_factor": "reflectance",
    "turbidity_dogliotti2015": "turbidity",
}
"""Public name to the module that has it."""

__all__ = [
    "AuxiliaryInput",
    "Output",
    "ProductInput",
    "VariableInput",
    "backscatter",
    "brightness_temperature",
    "composite_scenes",
    "geolocation",
    "get_processor",
    "interpolate_tie_points",
    "list_processors",
    "mask_classes",
    "mask_clear",
    "mask_water",
    "ndci",
    "planck_radiance",
    "processor",
    "radiance_to_reflectance",
    "reflectance_to_radiance",
    "select_flags",
    "sentinel_2_sources",
    "sun_distance_factor",
    "turbidity_dogliotti2015",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    return find_export(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
