"""Names, manifest and scalars of a simulated SLSTR product."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from lxml import etree

from skerry.core.time import format_time
from skerry.products.safe.attributes import nest
from skerry.products.safe.netcdf import write_scalar
from skerry.products.safe.product import SafeFolder
from skerry.simulate.slstr import solar_channels, thermal
from skerry.simulate.slstr.grids import Swath

MISSION_START = datetime.fromisoformat("2016-02-16T19:24:00+00:00")
ORBIT = timedelta(days=27) / 385
"""Sentinel-3 repeats its track after 385 orbits in 27 days."""
RELATIVE_ORBIT = 22
FRAME = 2160
TAI_UTC = timedelta(seconds=37)
SIMULATED = "SIMULATED by Skerry: not a measurement."
IMAGES = {
    "0.5 km stripe A": "a", "0.5 km stripe B": "b", "1 km": "i", "F1": "f", "Tie Points": "t",
}  # fmt: skip
"""Name of a grid in the manifest to the letter in file names."""
_SCALARS = {
    "FEE_gain": 1.0, "du_t_start": 5.0, "du_int_Time": 70.0, "l0_scan_offset": 0,
    "NADIR_FIRST_PIXEL": 2469, "OBLIQUE_FIRST_PIXEL": 1122, "PIXSYNC": 81.74, "SCANSYNC": 299985,
    "monitor_SD": 0, "monitor_mean": 0, "t_single": 0,
}  # fmt: skip
"""Single numbers in the files; microseconds, counts."""


@dataclass(frozen=True)
class SlstrNames:
    """The product's name and times.

    Attributes
    ----------
    moment
        Time of the middle row.
    duration
        From the first row to the last.
    """

    moment: datetime
    duration: timedelta

    @property
    def start(self) -> datetime:
        """Time of the first row."""
        return self.moment - self.duration / 2

    @property
    def stop(self) -> datetime:
        """Time of the last row."""
        return self.start + self.duration

    @property
    def created(self) -> datetime:
        """A plausible time of processing: the real time would change the bytes."""
        return self.moment.replace(minute=0, second=0) + timedelta(hours=33, milliseconds=500)

    @property
    def orbit(self) -> int:
        """Approximate number of the orbit."""
        return (self.moment - MISSION_START) // ORBIT

    @property
    def cycle(self) -> int:
        """Approximate number of the 27-day cycle."""
        return self.orbit // 385 + 1

    @property
    def product(self) -> str:
        """The product's folder, without suffix."""
        times = "_".join(f"{item:%Y%m%dT%H%M%S}" for item in (self.start, self.stop, self.created))
        return (
            f"S3A_SL_1_RBT____{times}_{round(self.duration.total_seconds()):04d}_{self.cycle:03d}_"
            f"{RELATIVE_ORBIT:03d}_{FRAME}_SIM_O_NT_SIM"
        )

    def skeletons(self, swath: Swath) -> dict[str, bytes]:
        """Return the manifest with the content that does not come from the mapping."""
        text = resources.files("skerry.simulate.slstr").joinpath("templates", "xfdumanifest.xml")
        before, after = self.moment - ORBIT / 2, self.moment + ORBIT / 2
        filled = Template(text.read_text("utf-8")).substitute(
            orbit=self.orbit, relative_orbit=RELATIVE_ORBIT, orbit_pass=2 * self.orbit + 1,
            relative_pass=2 * RELATIVE_ORBIT - 1, cycle=self.cycle, frame=FRAME,
            tai_before=_plain(before + TAI_UTC), utc_before=_plain(before),
            tai_after=_plain(after + TAI_UTC), utc_after=_plain(after),
            images=_describe_images(swath), bands=_describe_bands(),
            temperatures=_describe_temperatures(), created=format_time(self.created),
            version=_version(),
        )  # fmt: skip
        return {"manifest": filled.encode()}


def describe(names: SlstrNames, swath: Swath) -> dict[str, Any]:
    """Return the root's attributes that go into the manifest."""
    west, east = swath.positions("in")[0][0, [0, -1]]
    first, last = swath.positions("in")[1][[0, -1], 0]
    corners = [(west, first), (west, last), (east, last), (east, first), (west, first)]
    ring = [
        [round(float(item), 4) for item in swath.locate(*(np.asarray(entry) for entry in corner))]
        for corner in corners
    ]
    properties = {
        "start_datetime": format_time(names.start),
        "end_datetime": format_time(names.stop),
        "created": format_time(names.created),
    }
    attributes = {
        "stac_discovery/id": names.product,
        "stac_discovery/geometry": {"type": "Polygon", "coordinates": [ring]},
        "other_metadata/product_unit/duration": round(names.duration.total_seconds()),
    }
    attributes |= {f"stac_discovery/properties/{key}": item for key, item in properties.items()}
    return nest(iter(attributes.items()))


def describe_file(names: SlstrNames, swath: Swath, grid: str) -> dict[str, Any]:
    """Return global attributes of the files of one grid, as real files have them."""
    metres = {"a": 500, "b": 500, "t": 16000}.get(grid[0], 1000)
    return {
        "title": f"SIMULATED SLSTR Level 1 {grid}",
        "comment": SIMULATED,
        "product_name": f"{names.product}.SEN3",
        "start_time": _plain(names.start) + "Z",
        "stop_time": _plain(names.stop) + "Z",
        "creation_time": _plain(names.created) + "Z",
        "institution": "Skerry simulation",
        "source": "skerry",
        "absolute_orbit_number": names.orbit,
        "resolution": f"[ {metres} {1000 if grid[0] == 't' else metres} ]",
        "start_offset": 0,
        "track_offset": swath.track_column(grid),
    }


def finish_product(folder: SafeFolder, names: SlstrNames) -> None:
    """Write the single numbers that attributes name, then list all files in the manifest."""
    for entry in folder.mapping.attributes.values():
        if entry.file:
            write_scalar(folder, entry.file, entry.variable, _choose_scalar(entry.variable, names))
    manifest = folder.documents["manifest"]
    section = manifest.root.find("dataObjectSection")
    for path in sorted(folder.root.glob("*.nc")):
        section.append(_describe_data_object(path.stem, path.name, path.read_bytes()))
    (folder.root / folder.mapping.documents["manifest"]).write_bytes(manifest.to_bytes())


def _choose_scalar(variable: str, names: SlstrNames) -> float | str:
    if variable == "calibration_time":
        return _plain(names.start) + "Z"
    return next(item for key, item in _SCALARS.items() if key in variable)


def _describe_data_object(stem: str, name: str, content: bytes) -> Any:
    data_object = etree.Element("dataObject", ID=f"SLSTR_{stem.upper()}_Data")
    stream = etree.SubElement(
        data_object, "byteStream", mimeType="application/x-netcdf", size=str(len(content))
    )
    etree.SubElement(stream, "fileLocation", locatorType="URL", href=f"./{name}")
    # Manifests of Sentinel-3 use MD5, which guards only against accidents.
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    etree.SubElement(stream, "checksum", checksumName="MD5").text = digest
    return data_object


def _describe_images(swath: Swath) -> str:
    return "\n".join(
        f'<slstr:{view}ImageSize grid="{name}"><sentinel3:startOffset>0</sentinel3:startOffset>'
        f"<sentinel3:trackOffset>{swath.track_column(letter + view[0])}</sentinel3:trackOffset>"
        f"<sentinel3:rows>{swath.shape(letter + view[0])[0]}</sentinel3:rows>"
        f"<sentinel3:columns>{swath.shape(letter + view[0])[1]}</sentinel3:columns>"
        f"</slstr:{view}ImageSize>"
        for view in ("nadir", "oblique")
        for name, letter in IMAGES.items()
    )


def _describe_bands() -> str:
    nanometres = {
        name: (item.optics.wavelength_nm, item.bandwidth_nm)
        for name, item in solar_channels.CHANNELS.items()
    }
    nanometres |= {
        name: (item.wavelength_um * 1e3, item.bandwidth_um * 1e3)
        for name, item in thermal.CHANNELS.items()
    }
    return "\n".join(
        f'<sentinel3:band name="{name.upper()}">'
        f"<sentinel3:centralWavelength>{centre:g}</sentinel3:centralWavelength>"
        f"<sentinel3:bandwidth>{width:g}</sentinel3:bandwidth></sentinel3:band>"
        for name, (centre, width) in nanometres.items()
    )


def _describe_temperatures() -> str:
    return "\n".join(
        f'<slstr:temperature element="S{number}_Detector"><slstr:min>{kelvin}</slstr:min>'
        f"<slstr:max>{kelvin}</slstr:max></slstr:temperature>"
        for number, kelvin in ((index, 266.0 if index < 4 else 86.0) for index in range(1, 10))  # noqa: PLR2004 -- S1 to S3 are not cooled
    )


def _plain(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")


def _version() -> str:
    from importlib.metadata import version

    return version("skerry")
