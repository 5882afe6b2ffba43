"""What is in a pixel at the top of the atmosphere: cloud, cirrus, shadow, snow or ice, water, land.

Threshold tests on reflectance, pixel by pixel but for shadows. Sentinel-2 after the spectral tests
of Fmask: Z. Zhu, C. E. Woodcock (2012): Object-based cloud and cloud shadow detection in Landsat
imagery. Remote Sensing of Environment 118, 83-94, doi:10.1016/j.rse.2011.10.028, equations 1 to 6
and 20 (basic, whiteness, haze, band ratio, water, snow), with the cirrus test of Z. Zhu, S. Wang,
C. E. Woodcock (2015), Remote Sensing of Environment 159, 269-277, doi:10.1016/j.rse.2014.12.014.
Without their scene statistics, objects and temperatures: thin cloud edges are missed, very bright
soil and sand may pass for cloud. OLCI, which has no short-wave infrared: brightness and whiteness
as L. Gomez-Chova et al. (2007): Cloud-screening algorithm for ENVISAT/MERIS multispectral images.
IEEE Transactions on Geoscience and Remote Sensing 45 (12), 4105-4118,
doi:10.1109/TGRS.2007.905312; snow by the ratio of 865 and 1020 nm.
"""

from enum import IntEnum
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from skerry.core.errors import InvalidInputError
from skerry.processors.conversions import OLCI_TYPES, olci_reflectance
from skerry.processors.declarations import Output, ProductInput
from skerry.processors.flags import select_flags
from skerry.processors.grids import fit_to_grid
from skerry.processors.pixels import Floats, map_pixels
from skerry.processors.registry import processor
from skerry.processors.selection import find_variable

Classes = npt.NDArray[np.uint8]


class PixelClass(IntEnum):
    """The classes of the spectral masks."""

    NO_DATA = 0
    LAND = 1
    WATER = 2
    SNOW_ICE = 3
    CLOUD_SHADOW = 4
    CIRRUS = 5
    CLOUD = 6


_ATTRS: Final = {
    "long_name": "pixel classes by spectral tests",
    "flag_values": [int(item) for item in PixelClass],
    "flag_meanings": " ".join(item.name.lower() for item in PixelClass),
}
DARK_NIR: Final = 0.15
"""Near-infrared reflectance of land below which it may be in shadow."""


@processor(
    name="s2-cloud-mask",
    version="1.0.0",
    inputs=[ProductInput("product", "Sentinel-2 Level-1C product", ("S02MSIL1C",))],
    outputs=[Output("pixel_class", "", "Classes by value: see flag_meanings")],
    citation="Zhu and Woodcock 2012, doi:10.1016/j.rse.2011.10.028; Zhu et al. 2015, "
    "doi:10.1016/j.rse.2014.12.014",
)
def mask_sentinel_2_clouds(
    product: xr.DataTree,
    *,
    cirrus_reflectance: Annotated[
        float, Field(gt=0, lt=0.2, description="Reflectance at 1375 nm from which cirrus is seen")
    ] = 0.01,
    cloud_height_m: Annotated[
        float, Field(ge=0, le=15000, description="Height up to which clouds throw shadows; 0: none")
    ] = 6000.0,
) -> xr.DataArray:
    """Classify the pixels of a Level-1C product at 20 m, by the spectral tests of Fmask.

    Shadows: dark land that lies away from the sun from a cloud, as far as one of `cloud_height_m`
    or lower throws its shadow.

    Raises
    ------
    InvalidInputError
        If the product lacks one of the bands 2, 3, 4, 8, 10, 11, 12 or the sun's mean angles.
    """
    group = "measurements/reflectance"
    swir1 = find_variable(product, f"{group}/r20m/b11")
    swir2 = find_variable(product, f"{group}/r20m/b12")
    fine = [_coarsen(find_variable(product, f"{group}/r10m/{name}"), swir1)
            for name in ("b02", "b03", "b04", "b08")]  # fmt: skip
    cirrus = fit_to_grid(
        find_variable(product, f"{group}/r60m/b10"),
        swir1,
        names=("The pixels of band 10", "those of 20 m"),
        remedy="Cut products with filter_product, which keeps resolutions in step.",
    )
    classes = map_pixels(
        lambda *bands: classify_msi(*bands, cirrus_reflectance=cirrus_reflectance),
        *fine, swir1, swir2, _on(cirrus, swir1),
        name="pixel_class", attrs=_ATTRS, dtype=np.uint8,
    )  # fmt: skip
    if not cloud_height_m:
        return classes
    angles = find_variable(product, "conditions/geometry/mean_sun_angles")
    zenith, azimuth = (float(angles.sel(angle=name)) for name in ("zenith", "azimuth"))
    if not zenith < 85:  # noqa: PLR2004 -- false for NaN too
        raise InvalidInputError(
            f"The sun's mean zenith angle is {zenith}.", remedy="Give a product taken by day."
        )
    return add_shadows(classes, fine[3], zenith, azimuth, cloud_height_m)


def classify_msi(  # noqa: PLR0917 -- bands by wavelength
    blue: Floats,
    green: Floats,
    red: Floats,
    nir: Floats,
    swir1: Floats,
    swir2: Floats,
    cirrus: Floats,
    *,
    cirrus_reflectance: float = 0.01,
) -> Classes:
    """Classify reflectance at the top of the atmosphere (NaN = no data); no shadows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ndsi = (green - swir1) / (green + swir1)
        ndvi = (nir - red) / (nir + red)
        visible = (blue + green + red) / 3
        whiteness = sum(np.abs(item - visible) for item in (blue, green, red)) / visible
        ratio = nir / swir1
    basic = (swir2 > 0.03) & (ndsi < 0.8) & (ndvi < 0.8)  # noqa: PLR2004 -- equation 1
    haze = blue - 0.5 * red - 0.08 > 0  # equation 3
    cloud = basic & (whiteness < 0.7) & haze & (ratio > 0.75)  # noqa: PLR2004 -- 2 and 4
    water = ((ndvi < 0.01) & (nir < 0.11)) | ((ndvi < 0.1) & (nir < 0.05))  # noqa: PLR2004 -- 5
    snow = (ndsi > 0.4) & (nir > 0.11) & (green > 0.1)  # noqa: PLR2004 -- 20, NDSI of Hall 1995
    classes = np.full(blue.shape, PixelClass.LAND, np.uint8)
    classes[water] = PixelClass.WATER
    classes[cirrus > cirrus_reflectance] = PixelClass.CIRRUS
    # Over water a cloud is bright in the short-wave infrared; sea foam and turbid water are not.
    classes[cloud & ~water] = PixelClass.CLOUD
    classes[snow] = PixelClass.SNOW_ICE
    measured = np.isfinite(blue + green + red + nir + swir1 + swir2)
    classes[~measured] = PixelClass.NO_DATA
    return classes


def add_shadows(
    classes: xr.DataArray,
    nir: xr.DataArray,
    sun_zenith: float,
    sun_azimuth: float,
    cloud_height_m: float,
) -> xr.DataArray:
    """Mark dark land in the direction of the shadows of clouds of any height up to one.

    Parameters
    ----------
    classes, nir
        On one grid, ``(y, x)``, north up, in metres.
    sun_zenith, sun_azimuth
        Degrees; azimuth from north, clockwise.
    cloud_height_m
        Greatest height.
    """
    pixel_m = abs(float(classes["x"][1] - classes["x"][0])) if classes.sizes["x"] > 1 else 1.0
    length = cloud_height_m * np.tan(np.radians(sun_zenith)) / pixel_m
    # Shadows fall away from the sun: rows grow southward, columns eastward.
    down = float(np.cos(np.radians(sun_azimuth)) * length)
    right = float(-np.sin(np.radians(sun_azimuth)) * length)
    depth = tuple(
        min(int(np.ceil(abs(item))) + 1, size)
        for item, size in zip((down, right), classes.shape, strict=True)
    )

    def smear(block: Classes) -> npt.NDArray[np.bool_]:
        return smear_mask(block == PixelClass.CLOUD, down, right)

    data: Any = classes.data
    if classes.chunks is None:
        reached = smear(data)
    else:
        reached = data.map_overlap(smear, depth=depth, boundary=0, dtype=np.bool_)

    def mark(values: Classes, near_infrared: Floats, mask: npt.NDArray[np.bool_]) -> Classes:
        dark = mask & (values == PixelClass.LAND) & (near_infrared < DARK_NIR)
        return np.where(dark, np.uint8(PixelClass.CLOUD_SHADOW), values)

    return map_pixels(
        mark, classes, nir, xr.DataArray(reached, dims=classes.dims),
        name="pixel_class", attrs=_ATTRS, dtype=np.uint8,
    )  # fmt: skip


def smear_mask(mask: npt.NDArray[np.bool_], down: float, right: float) -> npt.NDArray[np.bool_]:
    """Return where a mask comes to lie while it moves by some pixels, its own place included.

    Doubling: the union over 2 n steps is that over n and its copy n steps on.
    """
    steps = max(int(np.ceil(max(abs(down), abs(right)))), 1)
    reached, distance = mask.copy(), 1
    while distance <= steps:
        move = min(distance, steps + 1 - distance)
        shift = (round(down * move / steps), round(right * move / steps))
        reached |= _shift(reached, *shift)
        distance += move
    return reached


def _shift(mask: npt.NDArray[np.bool_], down: int, right: int) -> npt.NDArray[np.bool_]:
    moved = np.zeros_like(mask)
    rows, columns = mask.shape
    if abs(down) < rows and abs(right) < columns:
        target = (slice(max(down, 0), rows + min(down, 0)),
                  slice(max(right, 0), columns + min(right, 0)))  # fmt: skip
        source = (slice(max(-down, 0), rows + min(-down, 0)),
                  slice(max(-right, 0), columns + min(-right, 0)))  # fmt: skip
        moved[target] = mask[source]
    return moved


@processor(
    name="olci-cloud-mask",
    version="1.0.0",
    inputs=[ProductInput("product", "OLCI Level-1 product", OLCI_TYPES)],
    outputs=[Output("pixel_class", "", "Classes by value: see flag_meanings; no shadows")],
    citation="Gomez-Chova et al. 2007, doi:10.1109/TGRS.2007.905312",
)
def mask_olci_clouds(
    product: xr.DataTree,
    *,
    water_brightness: Annotated[
        float, Field(gt=0, lt=1, description="Reflectance at 865 nm from which water is cloudy")
    ] = 0.10,
    land_brightness: Annotated[
        float, Field(gt=0, lt=1, description="Reflectance at 412 nm from which land is cloudy")
    ] = 0.28,
    whiteness: Annotated[
        float,
        Field(gt=0, lt=2, description="Relative spread of a white spectrum at most"),
    ] = 0.5,
) -> xr.DataArray:
    """Classify the pixels of an OLCI product; land and water are those of its quality flags.

    Cloud: bright and white between 412 and 865 nm. Snow and ice: so, and much darker at 1020 nm.

    Raises
    ------
    InvalidInputError
        If the product lacks bands 2, 6, 10, 17 or 21, or what their reflectance needs.
    """
    bands = ["oa02", "oa06", "oa10", "oa17", "oa21"]
    reflectance = olci_reflectance(product, bands=bands)

    def classify(  # noqa: PLR0917 -- bands by wavelength
        blue: Floats, green: Floats, red: Floats, nir: Floats, last: Floats, land: Any
    ) -> Classes:
        mean = (blue + green + red + nir) / 4
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = sum(np.abs(item - mean) for item in (blue, green, red, nir)) / (4 * mean)
            drop = (nir - last) / (nir + last)
        bright = np.where(land, (blue > land_brightness) & (nir > land_brightness),
                          nir > water_brightness)  # fmt: skip
        white = bright & (spread < whiteness)
        classes = np.where(land, PixelClass.LAND, PixelClass.WATER).astype(np.uint8)
        classes[white] = PixelClass.CLOUD
        classes[white & (drop > 0.1)] = PixelClass.SNOW_ICE  # noqa: PLR2004 -- ice absorbs at 1020
        classes[~np.isfinite(mean + last)] = PixelClass.NO_DATA
        return classes

    layers = [reflectance[f"{name}_reflectance"] for name in bands]
    land = _find_olci_land(product, layers[0])
    return map_pixels(classify, *layers, land, name="pixel_class", attrs=_ATTRS, dtype=np.uint8)


def _find_olci_land(product: xr.DataTree, like: xr.DataArray) -> xr.DataArray:
    """Return where the quality flags have land, on the grid of a band."""
    flags = find_variable(product, "quality/quality_flags")
    land = fit_to_grid(
        select_flags(flags, "land & ~fresh_inland_water"),
        like,
        names=("The quality flags", "the bands"),
        remedy="Give a product whose flags and bands are of the same pixels.",
    )
    return _on(land, like)


def _coarsen(fine: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Return the mean of 2 x 2 pixels of 10 m on the grid of 20 m."""
    if any(fine.sizes[dim] != 2 * like.sizes[dim] for dim in like.dims):
        raise InvalidInputError(
            f"The bands of 10 m {dict(fine.sizes)} do not fit those of 20 m {dict(like.sizes)}.",
            remedy="Cut products with filter_product, which keeps resolutions in step.",
        )
    quarters = [
        fine.isel(y=slice(row, None, 2), x=slice(column, None, 2)).drop_vars(fine.coords)
        for row in (0, 1)
        for column in (0, 1)
    ]
    mean = (quarters[0] + quarters[1] + quarters[2] + quarters[3]) * np.float32(0.25)
    return _on(mean, like)


def _on(values: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Give values the grid of others, chunks included."""
    array = xr.DataArray(values.data, dims=like.dims, coords=like.coords)
    return array.chunk(like.chunksizes) if like.chunks is not None else array
