"""Measure attributes of HDF5 files before reading them, because HDF5 sets no limit."""

from pathlib import Path
from typing import Any

from skerry.storage.blocks import BlockReader
from skerry.storage.outside import check_hdf5
from skerry.storage.remote import too_large

MAX_METADATA_BYTES = 64 * 2**20
"""Largest metadata document read (a full Sentinel-2 L2A has 1 MiB, consolidated)."""


def check_file(source: Path | BlockReader, label: str) -> None:
    """Refuse a file that links to other files or has too large attributes, without reading them.

    HDF5 stores texts of variable length elsewhere in the file; they are not counted.

    Raises
    ------
    InvalidInputError
        If the attributes of a group or variable have more than `MAX_METADATA_BYTES`, or a link
        or variable has its content elsewhere.
    OSError, RuntimeError
        If the file is damaged.
    """
    import h5py  # type: ignore[import-untyped]

    with h5py.File(source, "r") as file:
        check_open_file(file, label)


def check_open_file(file: Any, label: str) -> None:
    """Refuse an open `h5py.File` as `check_file` does."""
    check_attributes(file, label)
    check_hdf5(file, label, _check_facts)


def check_attributes(place: Any, label: str) -> None:
    """Refuse a group or variable of an open file as `check_file` does."""
    from h5py import h5o

    _check_facts(h5o.get_info(place.id), label)


def _check_facts(facts: Any, label: str) -> None:
    # Attributes that do not fit into the 64 KiB of the object's header are in its heap.
    size = int(facts.meta_size.attr.heap_size)
    if size > MAX_METADATA_BYTES:
        raise too_large(f"What {label} says of itself", size, MAX_METADATA_BYTES)
