"""Checks of completeness: parts that the product lacks, and damaged files."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from skerry.validation.profiles import has_model
from skerry.validation.registry import check
from skerry.validation.subject import ArrayFacts, Subject

MANIFESTS = ("manifest.safe", "xfdumanifest.xml")
HASHES = {"MD5": "md5", "SHA3-256": "sha3_256", "SHA-256": "sha256"}


def _parts(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    if has_model(subject):
        return  # the profile's own check reports missing parts
    if isinstance(subject.other.get("missing"), list):
        yield "", subject.other["missing"]


def _healed(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    # The other checks read Zarr and NetCDF unrepaired, and report each wound by its name.
    if subject.container == "safe" and isinstance(subject.other.get("healed"), list):
        yield "", subject.other["healed"]


def _listed_files(subject: Subject) -> Iterator[tuple[str, tuple[Path, Any]]]:
    if subject.container != "safe" or subject.path is None or not subject.path.is_dir():
        return
    for name in MANIFESTS:
        manifest = subject.path / name
        if manifest.is_file():
            root = etree.parse(manifest, etree.XMLParser(resolve_entities=False, no_network=True))
            for stream in root.iter("{*}byteStream"):
                place = stream.find("{*}fileLocation")
                if place is not None and place.get("href"):
                    href = str(place.get("href")).removeprefix("./")
                    yield href, (subject.path / href, stream)


def _chunked(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    for path, item in subject.arrays.items():
        if item.read_chunks is not None:
            yield path, item


@check(
    "completeness.parts",
    of=_parts,
    remedy="Fetch the missing parts from the provider; the parts that you have can be used.",
)
def lacks_nothing(missing: list[str], _: Subject) -> str | None:
    """The product has all parts of a complete product of its type."""
    return f"lacks {', '.join(map(str, missing))}" if missing else None


@check(
    "completeness.healed",
    of=_healed,
    remedy="Skerry repairs this on reading; other software may fail.",
)
def healed_nothing(healed: list[str], _: Subject) -> str | None:
    """Skerry reads the SAFE product without repairing anything."""
    return "; ".join(map(str, healed)) or None


@check(
    "completeness.files",
    of=_listed_files,
    remedy="Fetch the product again from its provider.",
)
def file_is_whole(file: tuple[Path, Any], _: Subject) -> str | None:
    """Every file in a SAFE's manifest exists and has the size in the manifest."""
    path, stream = file
    if not path.is_file():
        return "is not there"
    size = stream.get("size")
    if size and size.isdigit() and int(size) != path.stat().st_size:
        return f"has {path.stat().st_size} bytes where the manifest says {size}"
    return None


@check(
    "completeness.checksums",
    of=_listed_files,
    remedy="Fetch the product again from its provider.",
    deep=True,
)
def file_is_unchanged(file: tuple[Path, Any], _: Subject) -> str | None:
    """Every file in a SAFE's manifest has the checksum in the manifest."""
    path, stream = file
    checksum = stream.find("{*}checksum")
    if checksum is None or not path.is_file():
        return None
    algorithm = HASHES.get(str(checksum.get("checksumName")).upper())
    if algorithm is None:
        return None
    with path.open("rb") as content:
        actual = hashlib.file_digest(content, algorithm).hexdigest()
    expected = "".join(checksum.itertext()).strip().lower()
    return (
        None
        if actual == expected
        else f"has the {checksum.get('checksumName')} {actual}, not {expected}"
    )


@check(
    "completeness.chunks",
    of=_chunked,
    remedy="Write the product again, or fetch it again from its provider.",
    deep=True,
)
def chunks_decode(array: ArrayFacts, _: Subject) -> str | None:
    """Every chunk can be decoded."""
    if array.read_chunks is None:
        return None
    broken = list(array.read_chunks())
    more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""  # noqa: PLR2004
    return f"{'; '.join(broken[:3])}{more}" if broken else None
