"""Names and metadata documents of a simulated Sentinel-1 product."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from lxml import etree

from skerry.core.version import VERSION
from skerry.products.safe.sentinel_1_names import compute_product_id
from skerry.simulate.sentinel_1.annotation import SWATHS, Recorder
from skerry.simulate.sentinel_1.orbit import LIGHT_M_S, MEAN_MOTION

ORBIT = 61_234
"""Absolute orbit; it gives relative orbit and cycle (175 a cycle, 73 before the first)."""
DATATAKE = 0x07A1B2
CLASSES = {("VV",): "SV", ("VH", "VV"): "DV", ("HH",): "SH", ("HH", "HV"): "DH"}


@dataclass(frozen=True)
class Documents:
    """The content of a product's documents.

    Attributes
    ----------
    recorder
        Records and geometry.
    polarisations
        Polarisations, ordered by image number: VV before VH.
    """

    recorder: Recorder
    polarisations: tuple[str, ...]

    @cached_property
    def product(self) -> str:
        """Name of the product's folder."""
        start, stop = (
            f"{item:%Y%m%dT%H%M%S}" for item in (self.recorder.first, self.recorder.last)
        )
        code = CLASSES[tuple(sorted(self.polarisations))]
        identifier = compute_product_id(self.manifest)
        return (
            f"S1A_IW_GRDH_1S{code}_{start}_{stop}_{ORBIT:06d}_{DATATAKE:06X}_{identifier}_SIM.SAFE"
        )

    def stem(self, polarisation: str) -> str:
        """Return the stem of the names of a polarisation's files."""
        start, stop = (
            f"{item:%Y%m%dt%H%M%S}" for item in (self.recorder.first, self.recorder.last)
        )
        number = self.polarisations.index(polarisation) + 1
        return (
            f"s1a-iw-grd-{polarisation.lower()}-{start}-{stop}-"
            f"{ORBIT:06d}-{DATATAKE:06x}-{number:03d}"
        )

    def files(self, polarisation: str) -> dict[str, str]:
        """Return the path of each of a polarisation's files below the product."""
        stem = self.stem(polarisation)
        return {
            "measurement": f"measurement/{stem}.tiff",
            "product": f"annotation/{stem}.xml",
            "calibration": f"annotation/calibration/calibration-{stem}.xml",
            "noise": f"annotation/calibration/noise-{stem}.xml",
        }

    @cached_property
    def manifest(self) -> bytes:
        """The manifest."""
        image = self.recorder.image
        line = np.array([0, 0, image.lines - 1, image.lines - 1])
        sample = np.array([0, image.samples - 1, image.samples - 1, 0])
        corners = image.see(line, sample)
        ring = zip(corners.latitude, corners.longitude, strict=True)
        tag = "s1sarl1:transmitterReceiverPolarisation"
        paths = [item for name in self.polarisations for item in self.files(name).values()]
        values = self._values | {
            "version": VERSION,
            "generated": _format(self.recorder.last + timedelta(hours=1)),
            "relative_orbit": str((ORBIT - 73) % 175 + 1),
            "cycle": str((ORBIT - 73) // 175 + 1),
            "ring": " ".join(f"{latitude:.6f},{longitude:.6f}" for latitude, longitude in ring),
            "channels": "\n".join(
                f"<{tag}>{polarisation}</{tag}>" for polarisation in self.polarisations
            ),
            "objects": "\n".join(_describe_object(path) for path in paths),
        }
        return _read_template("manifest.safe").substitute(values).encode()

    def annotate(self, document: str, polarisation: str) -> bytes:
        """Return the frame of a document: ``product``, ``calibration`` or ``noise``."""
        number = self.polarisations.index(polarisation) + 1
        values = self._values | {"polarisation": polarisation, "number": f"{number:03d}"}
        header = _read_template("header.xml").substitute(values)
        return _read_template(f"{document}.xml").substitute(values, header=header).encode()

    @staticmethod
    def schema() -> bytes:
        """Return the schema that readers look for in ``support/``; it allows any annotation."""
        return _read_template("s1-level-1-product.xsd").template.encode()

    @cached_property
    def _values(self) -> dict[str, str]:
        image = self.recorder.image
        middle = image.see(np.array([image.lines / 2]), np.array([image.samples / 2]))
        near = image.see(np.array([0.0]), np.array([0.0]))
        ahead = image.see(np.array([image.lines / 2 + 100]), np.array([image.samples / 2]))
        east = (ahead.longitude - middle.longitude) * np.cos(np.radians(middle.latitude))
        heading = np.degrees(np.arctan2(east, ahead.latitude - middle.latitude))
        node = self.recorder.moment - timedelta(seconds=image.orbit.argument / MEAN_MOTION)
        return {
            "start": _format(self.recorder.first),
            "stop": _format(self.recorder.last),
            "ascending_node": _format(node),
            "orbit": str(ORBIT),
            "datatake": str(DATATAKE),
            "heading": f"{float(heading[0]):.15e}",
            "slant_range_time": f"{2 * float(near.slant_range[0]) / LIGHT_M_S:.15e}",
            "spacing": f"{image.spacing_m:.6e}",
            "line_interval": f"{image.line_interval:.15e}",
            "samples": str(image.samples),
            "lines": str(image.lines),
            "incidence": f"{np.degrees(float(middle.incidence[0])):.15e}",
            "merges": "".join(self._merge(number) for number in range(len(SWATHS))),
        }

    def _merge(self, number: int) -> str:
        first, last = self.recorder.bounds[number]
        return (
            f"<swathMerge><swath>{SWATHS[number]}</swath><swathBoundsList count='1'><swathBounds>"
            f"<azimuthTime>{_format(self.recorder.first)}</azimuthTime>"
            f"<firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>{first}</firstRangeSample>"
            f"<lastAzimuthLine>{self.recorder.image.lines - 1}</lastAzimuthLine>"
            f"<lastRangeSample>{last}</lastRangeSample></swathBounds></swathBoundsList>"
            "</swathMerge>"
        )


def complete(path: Path, frame: bytes) -> None:
    """Put the lists of records at `path` into a document's frame, in the frame's order."""
    parser = etree.XMLParser(remove_blank_text=True)
    root = etree.fromstring(frame, parser)
    _merge_elements(root, etree.parse(path, parser).getroot())
    path.write_bytes(
        etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")
    )


def _merge_elements(frame: Any, records: Any) -> None:
    for child in list(records):
        place = frame.find(child.tag)
        if place is None:
            frame.append(child)
        elif child.tag.endswith("List"):
            frame.replace(place, child)
        else:
            _merge_elements(place, child)


def _describe_object(path: str) -> str:
    identifier = path.rpartition("/")[2].rpartition(".")[0].replace("-", "")
    kind = "application/octet-stream" if path.endswith(".tiff") else "text/xml"
    return (
        f'<dataObject ID="{identifier}"><byteStream mimeType="{kind}">'
        f'<fileLocation locatorType="URL" href={quoteattr("./" + path)}/></byteStream></dataObject>'
    )


def _read_template(name: str) -> Template:
    folder = resources.files("skerry.simulate.sentinel_1").joinpath("templates")
    return Template(folder.joinpath(name).read_text("utf-8"))


def _format(moment: datetime) -> str:
    """Return a time as the documents write it: UTC, microseconds, no zone."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"
