"""The content of a simulated OLCI product's manifest."""

import hashlib
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import xarray as xr
from lxml import etree

from skerry.core.time import format_time
from skerry.products.safe.product import SafeFolder
from skerry.simulate.olci.bands import BANDS
from skerry.simulate.olci.flags import flag_masks
from skerry.simulate.olci.grid import Grid
from skerry.simulate.sun import sun_distance_factor

ASTRONOMICAL_UNIT_M = 149_597_870_700
RING_POINTS = 5
"""Number of points on each side of the footprint."""
ORBIT, RELATIVE_ORBIT, CYCLE = 53_000, 122, 140


def make_skeleton(grid: Grid) -> bytes:
    """Return the manifest without the content that comes from the product's attributes."""
    template = Path(__file__).parent / "templates" / "xfdumanifest.xml"
    bands = "".join(
        f'<sentinel3:band name="{band.name.capitalize()}"><sentinel3:centralWavelength/>'
        "<sentinel3:bandwidth/></sentinel3:band>"
        for band in BANDS
    )
    vectors = "".join(
        f"<sentinel-safe:{name}>"
        + "".join(f"<sentinel-safe:{axis}/>" for axis in "xyz")
        + f"</sentinel-safe:{name}>"
        for name in ("position", "velocity")
    )
    epochs = "".join(f'<sentinel-safe:epoch type="{item}"/>' for item in ("TAI", "UTC", "UT1"))
    ephemeris = f"<sentinel-safe:ephemeris>{epochs}{vectors}</sentinel-safe:ephemeris>"
    created = f"{grid.end + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}.000000"
    text = Template(template.read_text("utf-8")).substitute(
        bands=bands, ephemerides=2 * ephemeris, created=created
    )
    return text.encode()


def make_texts(grid: Grid, kind: str) -> dict[str, str]:
    """Return the manifest's further content, or other spellings of attributes: path to text.

    Real manifests have fractions of seconds even where they are 0, and CPM insists on them.
    """
    texts = {
        "generalProductInformation/productType": f"OL_1_{kind.upper()}___",
        "platform/number": "A",
        "acquisitionPeriod/startTime": f"{grid.moment:%Y-%m-%dT%H:%M:%S.%f}Z",
        "acquisitionPeriod/stopTime": f"{grid.end:%Y-%m-%dT%H:%M:%S.%f}Z",
    }
    place = "metadataSection/metadataObject[@ID='{}']/metadataWrap/xmlData/{}"
    return {place.format(path.split("/")[0], path): text for path, text in texts.items()}


def make_attributes(grid: Grid, name: str, tree: xr.DataTree) -> dict[str, Any]:
    """Return the root's attributes, which go to the manifest by the mapping."""
    return {
        "stac_discovery": {
            "id": name,
            "collection": "OL__L1_.SIM",
            "geometry": {"type": "Polygon", "coordinates": [_ring(grid)]},
            "properties": _properties(grid, tree),
        },
        "other_metadata": {
            "data_information": {
                "measurement_accuracy": "2.000000",
                "accuracy_reference": "0",
                "earth_sun_distance": round(
                    ASTRONOMICAL_UNIT_M / sun_distance_factor(grid.moment) ** 0.5
                ),
                "ocl_status": "true",
                "sampling": {
                    "along_track_time": grid.resolution.row_us,
                    "along_track_distance": grid.resolution.along_m,
                    "across_track_distance": grid.resolution.across_m,
                    "rows_per_tiepoint": 1,
                    "columns_per_tiepoint": grid.tie_step,
                },
            },
            "meteo": {"type": "SIMULATED", "missing_time": 0},
            "cycle_number": CYCLE,
            "phase_identifier": 4,
            "absolute_pass_number": 2 * ORBIT,
            "relative_pass_number": 2 * RELATIVE_ORBIT,
            "ephemeris": {"start": _ephemeris(grid, -1), "stop": _ephemeris(grid, 1)},
            "product_unit": {
                "type": "FRAME",
                "duration": round((grid.end - grid.moment).total_seconds()),
                "alongtrack_coordinate": 1980,
            },
        },
    }


def list_files(folder: SafeFolder) -> None:
    """List every file of the product in its manifest, with size and checksum."""
    manifest = folder.documents["manifest"]
    section = manifest.root.find("dataObjectSection")
    for path in sorted(folder.root.glob("*.nc")):
        content = path.read_bytes()
        data_object = etree.SubElement(section, "dataObject", ID=f"{path.stem}Data")
        stream = etree.SubElement(
            data_object, "byteStream", mimeType="application/x-netcdf", size=str(len(content))
        )
        etree.SubElement(stream, "fileLocation", locatorType="URL", href=f"./{path.name}")
        # Manifests of Sentinel-3 use MD5, which guards only against accidents.
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        etree.SubElement(stream, "checksum", checksumName="MD5").text = digest
    (folder.root / folder.mapping.documents["manifest"]).write_bytes(manifest.to_bytes())


def _properties(grid: Grid, tree: xr.DataTree) -> dict[str, Any]:
    return {
        "start_datetime": format_time(grid.moment),
        "end_datetime": format_time(grid.end),
        "created": f"{grid.end + timedelta(hours=2):%Y%m%dT%H%M%S}",
        "platform": "sentinel-3a",
        "gsd": grid.resolution.across_m,
        "product:timeliness": "PT3H",
        "product:timeliness_category": "NR",
        "product:acquisition_type": "Earth Observation",
        "proj:shape": [grid.size, grid.size],
        "sat:absolute_orbit": ORBIT,
        "sat:relative_orbit": RELATIVE_ORBIT,
        "sat:orbit_cycle": CYCLE,
        "sat:orbit_state": "descending",
        "sat:platform_international_designator": "2016-011A",
        "classification:classes": _classes(tree["quality/quality_flags"].to_numpy()),
        "bands": [
            {"eo:center_wavelength": band.centre_nm / 1000,
             "eo:full_width_half_max": band.width_nm / 1000}
            for band in BANDS
        ],
    }  # fmt: skip


def _classes(flags: np.ndarray[Any, Any]) -> list[dict[str, float]]:
    masks = flag_masks()
    raised = {name: int(np.count_nonzero(flags & np.uint32(mask))) for name, mask in masks.items()}
    raised["saline_water"] = flags.size - raised["land"] - raised["fresh_inland_water"]
    raised["saline_water"] -= raised["invalid"]
    return [
        {"count": raised[name], "percentage": round(100 * raised[name] / flags.size, 6)}
        for name in (
            "invalid", "cosmetic", "duplicated", "saturated", "dubious", "saline_water", "bright",
            "coastline", "fresh_inland_water", "tidal_region",
        )
    ]  # fmt: skip


def _ring(grid: Grid) -> list[list[float]]:
    """Return the footprint, closed, counterclockwise: down the west, up the east side."""
    longitude, latitude = grid.locate(grid.columns)
    last = grid.size - 1
    steps = np.linspace(0, last, RING_POINTS).round().astype(int)
    corners = [(row, 0) for row in steps] + [(last, column) for column in steps[1:]]
    corners += [(row, last) for row in steps[-2::-1]] + [(0, column) for column in steps[-2::-1]]
    return [
        [round(float(longitude[corner]), 6), round(float(latitude[corner]), 6)]
        for corner in corners
    ]


def _ephemeris(grid: Grid, sign: int) -> dict[str, Any]:
    """Return the node crossings before and after the image, for a circular orbit."""
    moment = grid.moment + sign * timedelta(minutes=50)
    return {
        "TAI": f"{moment + timedelta(seconds=37):%Y-%m-%dT%H:%M:%S.%f}",
        "UTC": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
        "UT1": f"{moment:%Y-%m-%dT%H:%M:%S.%f}",
        "position": {"x": -3_125_800.0, "y": sign * 6_468_000.0, "z": 0.0},
        "velocity": {"x": -1472.0, "y": 721.0, "z": 7366.0},
    }
