"""Turn a simulated Sentinel-2 picture into a tree like that of the SAFE reader."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.xr import xr_coords

from skerry.core.time import format_time
from skerry.processors.masks import SceneClass
from skerry.products.coding.packing import Packing
from skerry.products.safe.attributes import nest
from skerry.products.safe.sentinel_2_angles import ANGLES
from skerry.products.safe.sentinel_2_angles import BANDS as BAND_NAMES
from skerry.products.sensors.records import Group, Kind, Mapping
from skerry.simulate.sentinel_2.bands import BANDS, Band
from skerry.simulate.sentinel_2.names import (
    BASELINE,
    CRS,
    LEFT_M,
    RELATIVE_ORBIT,
    TOP_M,
    Names,
    grid_at,
)
from skerry.simulate.sentinel_2.picture import DETECTORS, OFFSET, QUANTIFICATION, Picture
from skerry.simulate.sentinel_2.radiometry import AIR
from skerry.simulate.sun import solar_position, sun_distance_factor

NODE_M = 5000
FEWEST_NODES = 3
METEO_NODES = 9
PERCENT_CLOUDY = 90
WATER_NUMBERS = 1000
"""Stored numbers per unit of aerosol thickness and per centimetre of water vapour."""


def build_tree(picture: Picture, names: Names, mapping: Mapping) -> xr.DataTree:
    """Return the tree of a rendered picture, its numbers packed, its values lazy."""
    datasets: dict[str, xr.Dataset] = {}
    for group in mapping.groups:
        if group.format == "jp2":
            data = _build_rasters(picture, group, mapping)
        elif group.format == "s2-angles":
            data = _build_angles(picture, group, mapping)
        else:
            data = _build_meteorology(picture, group, mapping)
        datasets[group.path] = data
    root = xr.Dataset(attrs=_describe(picture, names))
    return xr.DataTree.from_dict({"/": root, **datasets}, name=names.product)


def _build_rasters(picture: Picture, group: Group, mapping: Mapping) -> xr.Dataset:
    resolution = group.options["resolution_m"]
    variables = {}
    for name, variable in group.variables.items():
        kind = mapping.kind_of(group, variable)
        kind_name = variable.kind or group.kind
        numbers = _numbers_of(picture, kind_name, variable.source, resolution)
        variables[name] = _unpack(numbers, kind, kind_name)
    return xr.Dataset(variables, coords=xr_coords(grid_at(resolution, picture.size), "spatial_ref"))


def _numbers_of(picture: Picture, kind: str, source: str, resolution: int) -> npt.NDArray[Any]:
    """Return a file's numbers."""
    classes = picture.classes[resolution]
    gap = classes == SceneClass.NO_DATA
    cloud = classes == SceneClass.CLOUD_HIGH_PROBABILITY
    cirrus = classes == SceneClass.THIN_CIRRUS
    ice = classes == SceneClass.SNOW_OR_ICE
    edge = classes.shape[1]
    detectors = picture.detector_at((np.arange(edge) + 0.5) / edge)
    retrieved = {"aerosol": picture.retrieved_aerosol(), "water_vapour": AIR.water_cm}
    makers: dict[str, Callable[[], Any]] = {
        "reflectance": lambda: picture.reflectances[resolution][source],
        "true_colour": lambda: picture.true_colour(resolution),
        "scene_classification": lambda: classes,
        "l1c_classification": lambda: cloud + 2 * cirrus + 4 * ice,
        "probability": lambda: PERCENT_CLOUDY * (cloud | cirrus if source == "CLDPRB" else ice),
        "detector_footprint": lambda: np.where(gap, 0, detectors[None, :]),
        "quality_mask": lambda: np.where(gap, 1 << 5, 0),
    }
    if kind in retrieved:
        return np.where(gap, 0, round(WATER_NUMBERS * retrieved[kind])).astype(np.uint16)
    numbers = makers[kind]()
    return np.asarray(numbers if kind == "reflectance" else numbers.astype(np.uint8))


def _unpack(numbers: npt.NDArray[Any], kind: Kind, kind_name: str) -> xr.DataArray:
    lazy = da.from_array(numbers, chunks=(*numbers.shape[:-2], 2048, 2048))  # type: ignore[no-untyped-call]
    if kind.scale_factor is None:
        return xr.DataArray(lazy, dims=kind.dims, attrs=dict(kind.attrs))
    toward = kind_name == "reflectance"
    scale = 1 / QUANTIFICATION if toward else 1 / WATER_NUMBERS
    offset = -OFFSET * scale if toward else 0.0
    fills = (float(kind.fill_value or 0), *kind.further_fills)
    packing = Packing(numbers.dtype, np.dtype(np.float32), scale, offset, fills)
    values = da.map_blocks(packing.decode, lazy, dtype=np.float32)  # type: ignore[no-untyped-call]
    variable = xr.DataArray(values, dims=kind.dims, attrs=dict(kind.attrs))
    variable.encoding = {
        "dtype": np.dtype(kind.dtype), "scale_factor": scale, "add_offset": offset,
        "_FillValue": int(fills[0]),
    }  # fmt: skip
    return variable


def _build_angles(picture: Picture, group: Group, mapping: Mapping) -> xr.Dataset:
    """Make the angles at nodes every 5 km; view angles of a detector where it looks."""
    count = max(FEWEST_NODES, -(-picture.side_m // NODE_M) + 1)
    step = NODE_M * np.arange(count)
    across = step / picture.side_m
    longitude, latitude = picture.locate(*np.meshgrid(across, across))
    sun = np.stack(solar_position(picture.moment, longitude, latitude))
    view = np.full((len(BAND_NAMES), len(DETECTORS), 2, count, count), np.nan)
    looks = np.stack(np.broadcast_arrays(*picture.look_from(np.clip(across, 0, 1))))
    detectors = picture.detector_at(np.clip(across, 0, 1))
    for number, detector in enumerate(DETECTORS):
        columns = np.abs(detectors.astype(int) - detector) <= 1
        view[:, number, :, :, columns] = looks[:, columns].T[:, None, :, None]
    means = [np.mean(item) for item in picture.look_from(np.linspace(0, 1, 100))]
    arrays = {
        "sun_angles": sun,
        "mean_sun_angles": np.array(picture.sun),
        "viewing_incidence_angles": view,
        "mean_viewing_incidence_angles": np.tile(np.array(means, np.float64), (len(BANDS), 1)),
    }
    variables = {}
    for name, variable in group.variables.items():
        kind = mapping.kind_of(group, variable)
        variables[name] = (kind.dims, arrays[name], dict(kind.attrs))
    coords = {
        "angle": np.array(ANGLES), "band": np.array(BAND_NAMES),
        "detector": np.array(DETECTORS, np.int64), "y": TOP_M - step, "x": LEFT_M + step,
    }  # fmt: skip
    return xr.Dataset(variables, coords=coords)


def _build_meteorology(picture: Picture, group: Group, mapping: Mapping) -> xr.Dataset:
    """Make the forecast's fields: smooth, and what the simulated atmosphere had."""
    nodes = np.linspace(0, 1, METEO_NODES)
    longitude, latitude = picture.locate(*np.meshgrid(nodes, nodes))
    wind = picture.scene.sample(longitude, latitude).wind_speed
    slope = np.add.outer(nodes, nodes) / 2
    aerosol = AIR.aerosol_550 * (0.98 + 0.04 * slope)
    fields = {
        "tcwv": 10 * AIR.water_cm * (0.98 + 0.04 * slope),
        "msl": 101_325 + 200 * slope,
        "tco3": AIR.ozone_du * 2.1415e-5 * (0.99 + 0.02 * slope),
        "u10": wind * np.sin(np.radians(250)) * -1,
        "v10": wind * np.cos(np.radians(250)) * -1,
        "r": 70 + 10 * slope,
        "z": 200 * slope,
        **{
            f"aod{item}": aerosol * (item / 550) ** -AIR.angstrom
            for item in (469, 550, 670, 865, 1240)
        },
        "bcaod550": 0.05 * aerosol, "duaod550": 0.05 * aerosol, "omaod550": 0.3 * aerosol,
        "ssaod550": 0.3 * aerosol, "suaod550": 0.3 * aerosol,
    }  # fmt: skip
    start = np.datetime64(picture.moment.date())
    minutes = 60 * picture.moment.hour
    coords = {
        "latitude": latitude.mean(axis=1),
        "longitude": longitude.mean(axis=0),
        "time": start.astype("datetime64[ns]"),
        "step": np.int64(minutes),
    }
    variables = {
        name: (("latitude", "longitude"), fields[name].astype(np.float32))
        for name in group.variables
    }
    del mapping
    return xr.Dataset(variables, coords=coords)


def _describe(picture: Picture, names: Names) -> dict[str, Any]:
    """Return the attributes that the metadata documents hold."""
    corners = np.array([0.0, 1.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 1.0, 0.0])
    longitude, latitude = picture.locate(*corners)
    ring = [[float(x), float(y)] for x, y in zip(longitude, latitude, strict=True)]
    moment = format_time(names.moment)
    item, other = "stac_discovery/properties", "other_metadata"
    flat: dict[str, Any] = {
        "stac_discovery/id": names.product,
        "stac_discovery/geometry": {"type": "Polygon", "coordinates": [ring]},
        f"{item}/datetime": moment,
        f"{item}/end_datetime": moment,
        f"{item}/created": format_time(names.generated),
        f"{item}/platform": "Sentinel-2A",
        f"{item}/processing:version": BASELINE,
        f"{item}/eopf:instrument_mode": "INS-NOBS",
        f"{item}/eopf:data_take_id": names.datatake,
        f"{item}/eopf:datastrip_id": names.identify("DS"),
        f"{item}/sat:relative_orbit": RELATIVE_ORBIT,
        f"{item}/sat:orbit_state": "DESCENDING",
        f"{item}/sci:doi": "10.5270/S2_-simulated",
        f"{item}/proj:code": CRS,
        f"{item}/eo:cloud_cover": round(picture.share(8, 9, 10), 6),
        f"{item}/eo:snow_cover": round(picture.share(11), 6),
        f"{other}/simulated": True,
        f"{other}/UTM_zone_identification": names.identify("TL"),
        f"{other}/horizontal_CRS_name": "WGS84 / UTM zone 33N",
        f"{other}/mean_sensing_time": moment,
        f"{other}/reflectance_correction_factor_from_the_Sun-Earth_distance_variation_computed"
        "_using_the_acquisition_date": sun_distance_factor(names.moment),
        f"{other}/declared_accuracy_of_radiative_transfer_model": 0.0,
        f"{other}/declared_accuracy_of_water_vapour_model": 0.0,
        f"{other}/declared_accuracy_of_AOT_model": 0.0,
        f"{other}/AOT_retrieval_model": "SIMULATED",
        f"{other}/mean_value_of_aerosol_optical_thickness": picture.retrieved_aerosol(),
        f"{other}/mean_value_of_total_water_vapour_content": AIR.water_cm,
        f"{other}/ozone_source": "SIMULATED",
        f"{other}/ozone_value": AIR.ozone_du,
    }
    for band in BANDS.values():
        flat[f"{item}/bands/{band.number}/solar_illumination"] = band.irradiance
        about = f"{other}/band_description/{band.name.lower()}"
        flat |= {f"{about}/{key}": value for key, value in _describe_band(band).items()}
    return nest(iter(flat.items()))


def _describe_band(band: Band) -> dict[str, Any]:
    """Return a band's entry in the description of all bands."""
    shape = np.exp(-0.5 * np.linspace(-2.5, 2.5, band.longest_nm - band.shortest_nm + 1) ** 4)
    return {
        "central_wavelength": band.centre_nm,
        "wavelength_min": band.shortest_nm,
        "wavelength_max": band.longest_nm,
        "spectral_response_step": 1,
        "spectral_response_values": " ".join(f"{entry:.6f}" for entry in shape),
        "physical_gain": band.gain,
        "onboard_compression_rate": 2.97,
        "onboard_integration_time": 1.3,
    }
