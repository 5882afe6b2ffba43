"""Reflectance, radiance and temperature of whole products, by their own angles and irradiances.

Sources as in `skerry.processors.reflectance` and `skerry.processors.planck`; SLSTR: Sentinel-3
SLSTR Level-1 Product Data Format Specification (S3IPF.PDS.005), quality annotations.
"""

from typing import Annotated, Any, Final, Literal

import xarray as xr
from pydantic import Field

from skerry.core.errors import InvalidInputError
from skerry.processors.declarations import Output, ProductInput
from skerry.processors.planck import planck_radiance
from skerry.processors.reflectance import (
    radiance_to_reflectance,
    reflectance_to_radiance,
    sun_distance_factor,
)
from skerry.processors.registry import processor
from skerry.processors.selection import find_variable, read_moment
from skerry.processors.tie_points import (
    interpolate_tie_points,
    locate_by_coordinates,
    locate_evenly,
    pick_detectors,
    spread_lazily,
)

OLCI_TYPES: Final = ("S03OLCEFR", "S03OLCERR")
OLCI_BANDS: Final = tuple(f"oa{number:02d}" for number in range(1, 22))
SLSTR_SOLAR_BANDS: Final = ("s1", "s2", "s3", "s4", "s5", "s6")
SLSTR_THERMAL_BANDS: Final = ("s7", "s8", "s9", "f2")
"""Thermal bands on the grid of 1 km."""
SLSTR_FIRE_BAND: Final = "f1"
"""Fire channel from s7's low-gain detectors, on a grid of its own."""

_Bands = Annotated[
    list[str], Field(description="Names of bands, such as b04, oa08 or s3; empty: all there are")
]
_View = Annotated[Literal["nadir", "oblique"], Field(description="View of SLSTR")]


@processor(
    name="s2-radiance",
    version="1.1.0",
    inputs=[ProductInput("product", "Sentinel-2 Level-1C product", ("S02MSIL1C",))],
    outputs=[Output("*_radiance", "mW m-2 sr-1 nm-1", "Radiance at the top of the atmosphere")],
    citation="Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, Level-1C radiometry",
)
def sentinel_2_radiance(
    product: xr.DataTree,
    *,
    resolution: Annotated[
        Literal["r10m", "r20m", "r60m"], Field(description="Grid whose bands are converted")
    ] = "r20m",
    bands: _Bands = [],  # noqa: B006 -- a notebook-like default; it is never changed
) -> xr.Dataset:
    """Compute Sentinel-2 radiance at the top of the atmosphere from Level-1C reflectance.

    The irradiance of the bands is the product's (``stac_discovery/properties/bands``), the factor
    of the sun's distance too where it is given, the zenith angle its 5 km grid, interpolated.

    Raises
    ------
    InvalidInputError
        If the product lacks a band, its irradiance, or the sun's angles.
    """
    group = f"measurements/reflectance/{resolution}"
    names = bands or _list_bands(product, group, "")
    factor = read_distance_factor(product)
    angles = find_variable(product, "conditions/geometry/sun_angles").sel(angle="zenith")
    result = {}
    for name in names:
        band = find_variable(product, f"{group}/{name}")
        rows, columns = locate_by_coordinates(
            spread_lazily(band["y"], band),
            spread_lazily(band["x"], band),
            angles["y"],
            angles["x"],
        )
        zenith = interpolate_tie_points(angles, rows, columns)
        irradiance = _read_band_irradiance(product, name)
        radiance = reflectance_to_radiance(band, zenith, irradiance, distance_factor=factor)
        radiance.attrs["long_name"] += f", band {name}"
        result[f"{name}_radiance"] = radiance
    return xr.Dataset(result)


@processor(
    name="olci-reflectance",
    version="1.0.0",
    inputs=[ProductInput("product", "OLCI Level-1 product", OLCI_TYPES)],
    outputs=[Output("*_reflectance", "1", "Reflectance at the top of the atmosphere")],
    citation="Sentinel-3 OLCI Level-1 ATBD; PDFS: solar flux of the day by band and detector",
)
def olci_reflectance(
    product: xr.DataTree,
    *,
    bands: _Bands = [],  # noqa: B006
) -> xr.Dataset:
    """Compute OLCI reflectance at the top of the atmosphere.

    Each pixel takes the solar flux of its detector and the sun's zenith angle, interpolated
    between tie points.

    Raises
    ------
    InvalidInputError
        If the product lacks a band, the detectors, their solar flux or the sun's angles.
    """
    names = bands or _list_bands(product, "measurements", "_radiance")
    detectors = find_variable(product, "conditions/image/detector_index")
    flux = find_variable(product, "conditions/instrument/solar_flux")
    tie_zenith = find_variable(product, "conditions/geometry/sza")
    zenith: xr.DataArray | None = None
    result = {}
    for name in names:
        if name not in OLCI_BANDS:
            raise InvalidInputError(
                f"OLCI has no band {name!r}.",
                remedy=f"Give some of {OLCI_BANDS[0]} to {OLCI_BANDS[-1]}.",
            )
        radiance = find_variable(product, f"measurements/{name}_radiance")
        if zenith is None:
            zenith = interpolate_tie_points(tie_zenith, *locate_evenly(radiance, tie_zenith))
        irradiance = pick_detectors(
            flux.isel({flux.dims[0]: OLCI_BANDS.index(name)}), detectors.drop_vars(detectors.coords)
        )
        reflectance = radiance_to_reflectance(radiance, zenith, irradiance)
        reflectance.attrs["long_name"] += f", band {name}"
        result[f"{name}_reflectance"] = reflectance
    return xr.Dataset(result)


@processor(
    name="slstr-reflectance",
    version="1.1.0",
    inputs=[ProductInput("product", "SLSTR Level-1 product", ("S03SLSRBT",))],
    outputs=[Output("*_reflectance_*", "1", "Reflectance at the top of the atmosphere")],
    citation="Sentinel-3 SLSTR Level-1 PDFS, S3IPF.PDS.005: solar irradiance by band and detector",
)
def slstr_reflectance(
    product: xr.DataTree,
    *,
    view: _View = "nadir",
    stripe: Annotated[
        Literal["a", "b"], Field(description="Stripe of detectors; b has s4, s5 and s6 only")
    ] = "a",
    bands: _Bands = [],  # noqa: B006
    radiance_factors: Annotated[
        dict[str, Annotated[float, Field(gt=0, lt=2)]],
        Field(
            description="Band to factor of its radiance, such as the vicarious calibration of s5 "
            "and s6 that the mission recommends for a processing baseline; 1 where not given"
        ),
    ] = {},  # noqa: B006
) -> xr.Dataset:
    """Compute SLSTR reflectance at the top of the atmosphere.

    The irradiance is the mean of the band's detectors (they differ by less than 0.1 %), as the
    product's quality annotation has it for its day; the sun's zenith angle is interpolated between
    tie points by the image's coordinates across and along the track.

    Raises
    ------
    InvalidInputError
        If the product lacks a band, its irradiance or the sun's angles, or a factor is of no band.
    """
    if unknown := sorted(set(radiance_factors) - set(SLSTR_SOLAR_BANDS)):
        raise InvalidInputError(
            f"radiance_factors has {unknown[0]!r}, which is not a solar band of SLSTR.",
            remedy=f"Give factors of {', '.join(SLSTR_SOLAR_BANDS)}.",
        )
    grid, end = f"{stripe}{view}", f"{stripe}{view[0]}"
    group = f"measurements/{grid}"
    names = bands or [
        name
        for name in _list_bands(product, group, f"_radiance_{end}")
        if name in SLSTR_SOLAR_BANDS
    ]
    zenith = _slstr_zenith(product, group, view)
    result = {}
    for name in names:
        radiance = find_variable(product, f"{group}/{name}_radiance_{end}")
        flux = find_variable(
            product, f"conditions/instrument/{grid}/{name}/{name}_solar_irradiance_{end}"
        )
        irradiance = float(flux.mean()) / radiance_factors.get(name, 1.0)
        reflectance = radiance_to_reflectance(radiance, zenith, irradiance)
        reflectance.attrs["long_name"] += f", band {name}, {view} view"
        result[f"{name}_reflectance_{end}"] = reflectance
    return xr.Dataset(result)


@processor(
    name="slstr-thermal-radiance",
    version="1.1.0",
    inputs=[ProductInput("product", "SLSTR Level-1 product", ("S03SLSRBT",))],
    outputs=[Output("*_radiance_*", "W m-2 sr-1 um-1", "Black body radiance at the band's centre")],
    citation="Planck 1901, doi:10.1002/andp.19013090310; CODATA 2018 constants",
)
def slstr_thermal_radiance(
    product: xr.DataTree,
    *,
    view: _View = "nadir",
    bands: _Bands = [],  # noqa: B006
) -> xr.Dataset:
    """Compute SLSTR radiance from brightness temperature, at the centre of each thermal band.

    Without names: s7, s8, s9 and f2. The fire channel f1 has a grid of its own: ask for it alone.

    Raises
    ------
    InvalidInputError
        If the product lacks a band or its centre, a band is none of these, or f1 is asked for
        together with others.
    """
    letter = "f" if SLSTR_FIRE_BAND in bands else "i"
    _check_thermal_bands(bands)
    grid, end = f"{letter}{view}", f"{letter}{view[0]}"
    group = f"measurements/{grid}"
    names = bands or [
        name for name in _list_bands(product, group, f"_bt_{end}") if name in SLSTR_THERMAL_BANDS
    ]
    result = {}
    for name in names:
        temperature = find_variable(product, f"{group}/{name}_bt_{end}")
        centre = find_variable(
            product, f"conditions/instrument/{grid}/{name}/{name}_band_centre_{end}"
        )
        radiance = planck_radiance(temperature, wavelength_um=float(centre.mean()) * 1e6)
        radiance.attrs["long_name"] += f", band {name}, {view} view"
        result[f"{name}_radiance_{end}"] = radiance
    return xr.Dataset(result)


def _check_thermal_bands(bands: list[str]) -> None:
    if unknown := sorted(set(bands) - {*SLSTR_THERMAL_BANDS, SLSTR_FIRE_BAND}):
        raise InvalidInputError(
            f"SLSTR has no thermal band {unknown[0]!r}.",
            remedy=f"Give some of {', '.join(SLSTR_THERMAL_BANDS)}, or {SLSTR_FIRE_BAND} alone.",
        )
    if SLSTR_FIRE_BAND in bands and len(bands) > 1:
        raise InvalidInputError(
            f"{SLSTR_FIRE_BAND} is on another grid than {', '.join(bands)}.",
            remedy=f"Ask for {SLSTR_FIRE_BAND} alone, and for the others in a second call.",
        )


def _slstr_zenith(product: xr.DataTree, group: str, view: str) -> xr.DataArray:
    end = f"t{view[0]}"
    zenith = find_variable(product, f"conditions/geometry_{end}/solar_zenith_{end}")
    # Both views share one grid of tie points; only the nadir view has its coordinates.
    tie_x = find_variable(product, "conditions/geometry_tn/x")
    tie_y = find_variable(product, "conditions/geometry_tn/y")
    x, y = find_variable(product, f"{group}/x"), find_variable(product, f"{group}/y")
    # The tie points are evenly spaced along both axes, so one row and one column are enough.
    rows, columns = locate_by_coordinates(
        y.drop_vars(y.coords), x.drop_vars(x.coords), tie_y[:, 0], tie_x[0, :]
    )
    return interpolate_tie_points(zenith, rows, columns)


def _list_bands(product: xr.DataTree, group: str, end: str) -> list[str]:
    """Return the bands in a group: the part before `end` in the names of its variables."""
    names = (
        [str(name) for name in product[group].data_vars] if f"/{group}" in product.groups else []
    )
    bands = [name.removesuffix(end) for name in names if name.endswith(end)]
    if not bands:
        raise InvalidInputError(
            f"{product.name or 'The product'} has no bands in {group}.",
            remedy="Ask for a view, stripe or resolution that the product has.",
        )
    return sorted(bands)


def _read_properties(product: xr.DataTree) -> dict[str, Any]:
    return (product.attrs.get("stac_discovery") or {}).get("properties") or {}


def _read_band_irradiance(product: xr.DataTree, name: str) -> float:
    for band in _read_properties(product).get("bands") or []:
        if str(band.get("name", "")).lower() == name and band.get("solar_illumination"):
            return float(band["solar_illumination"])
    raise InvalidInputError(
        f"{product.name or 'The product'} does not say the sun's irradiance in {name!r}.",
        remedy="Give a Level-1C product whose metadata list its bands with solar_illumination.",
    )


def read_distance_factor(product: xr.DataTree) -> float:
    """Return the factor of the sun's distance that the product gives, else that of its day in UTC.

    Raises
    ------
    InvalidInputError
        If the product gives neither.
    """
    for key, value in (product.attrs.get("other_metadata") or {}).items():
        if key.lower().startswith("reflectance_correction_factor"):
            return float(value)
    return sun_distance_factor(read_moment(product).date())
