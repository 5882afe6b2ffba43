"""Groups and arrays of a Zarr store, whose documents are made in memory and then written once.

A product may have a thousand small arrays: Zarr would look into the folder several times for each,
and write a group's document again for each of its attributes.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, MemoryStore, StorePath

from skerry.products.filling.layout import Layout


class ZarrDraft:
    """A Zarr store that is not in its folder yet.

    Parameters
    ----------
    folder
        The folder of the store; it is made by `write`.
    zarr_format
        2 or 3.

    Attributes
    ----------
    root
        The topmost group, in memory; what is put into arrays below it is written too.
    """

    def __init__(self, folder: Path, zarr_format: int) -> None:
        self._format: Literal[2, 3] = 2 if zarr_format == 2 else 3  # noqa: PLR2004 -- its name
        self._folder = folder
        self._store = LocalStore(folder)
        self._documents: dict[str, Buffer] = {}
        self.root = zarr.create_group(MemoryStore(self._documents), zarr_format=self._format)

    def place(self, array: Any, layout: Layout) -> Any:
        """Return an array of the draft as it will be in the folder, to be filled after `write`.

        It leaves out chunks for which its fill value stands, and no others.
        """
        return zarr.Array(
            zarr.AsyncArray(
                array.metadata,
                StorePath(self._store, array.path),
                {"write_empty_chunks": layout.fill is None},
            )
        )

    def write(self) -> None:
        """Write everything into the folder, with consolidated metadata."""
        with quiet():
            zarr.consolidate_metadata(self.root.store, zarr_format=self._format)
        for key, document in self._documents.items():
            file = self._folder / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(document.to_bytes())


def put_attributes(group: zarr.Group, attrs: Mapping[str, Any]) -> None:
    """Add attributes to a group in one step: ``attrs.update`` writes it once for each of them."""
    if attrs:
        group.update_attributes(dict(attrs))


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress two of Zarr's warnings."""
    with warnings.catch_warnings():
        # Every reader of Zarr v3 that knows consolidated metadata reads these; others pass by.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        # Fixed-length text is not part of the Zarr 3 standard yet; Zarr and xarray read it.
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        yield
