"""The subject of a validation: groups and arrays as stored, before any healing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.products.coding.stored_numbers import read_fill
from skerry.products.sensors.mapping import product_type_of

EOPF_GROUPS = ("measurements", "conditions", "quality")


@dataclass(frozen=True)
class Index:
    """A Zarr store's consolidated metadata.

    Attributes
    ----------
    arrays
        Paths of the arrays that they list.
    stale
        Paths of the groups and arrays whose own documents differ from the index.
    """

    arrays: frozenset[str]
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayFacts:
    """One array as it is stored.

    Attributes
    ----------
    path
        Group path and name, such as ``measurements/reflectance/r10m/b02``.
    dims
        Dimension names, or None where the store does not name them.
    shape, dtype
        As stored: packed numbers where they are packed.
    attrs
        As stored, over the attributes in ``_eopf_attrs``: an own attribute of the same name wins.
    eopf
        The attributes in ``_eopf_attrs``.
    fill_value
        The store's own fill value, where it has one.
    read
        Read the stored numbers, all or the part that an index names.
    read_chunks
        Read everything chunk by chunk; gives the position of each chunk that cannot be read, with
        the reason. None where the container has no chunks of its own.
    """

    path: str
    dims: tuple[str, ...] | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    read: Callable[[Any], npt.NDArray[Any]]
    fill_value: Any = None
    eopf: dict[str, Any] = field(default_factory=dict)
    read_chunks: Callable[[], Iterator[str]] | None = None

    @property
    def name(self) -> str:
        """The name without group."""
        return self.path.rpartition("/")[2]

    @property
    def group(self) -> str:
        """The group's path."""
        return self.path.rpartition("/")[0]

    @property
    def packed(self) -> bool:
        """Whether physical values are calculated from stored integers."""
        return self.dtype.kind in "iu" and bool({"scale_factor", "add_offset"} & set(self.attrs))

    @property
    def missing_number(self) -> Any:
        """The number that means no data, or None; returned unchanged if it is not a number."""
        fill = self.attrs.get("_FillValue", self.attrs.get("fill_value"))
        if not isinstance(fill, str) or self.dtype.kind != "f":
            return fill
        try:
            return read_fill(fill, self.dtype)
        except ValueError:
            return fill

    def numbers(self) -> npt.NDArray[np.float64]:
        """Return all values, unpacked, as float64; for coordinates, which are small."""
        raw = np.asarray(self.read(...), np.float64)
        scale = float(self.attrs.get("scale_factor", 1.0))
        return raw * scale + float(self.attrs.get("add_offset", 0.0))


@dataclass(frozen=True)
class Subject:
    """A product under validation.

    Attributes
    ----------
    name
        Its name or path, for the report.
    container
        ``safe``, ``zarr-v2``, ``zarr-v3``, ``netcdf``, ``cog`` or ``tree``.
    groups
        Group path (empty for the root) to its stored attributes.
    arrays
        Array path to array.
    path
        Where it is, or None for a tree in memory.
    tree
        The product as Skerry opens it, or None where that failed.
    problem
        Why Skerry could not open it, in words; empty where it could.
    profile
        The profile whose rules count, or None.
    deep
        Whether checks may read every value.
    index
        The store's consolidated metadata, or None where it has none.
    """

    name: str
    container: str
    groups: dict[str, dict[str, Any]]
    arrays: dict[str, ArrayFacts]
    path: Path | None = None
    tree: xr.DataTree | None = None
    problem: str = ""
    profile: str | None = None
    deep: bool = False
    index: Index | None = None

    @cached_property
    def root(self) -> dict[str, Any]:
        """The root's attributes."""
        return self.groups.get("", {})

    @cached_property
    def discovery(self) -> dict[str, Any] | None:
        """The STAC item as stored, or None."""
        item = self.root.get("stac_discovery")
        return item if isinstance(item, dict) else None

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The STAC item's properties, or nothing."""
        properties = (self.discovery or {}).get("properties")
        return properties if isinstance(properties, dict) else {}

    @cached_property
    def other(self) -> dict[str, Any]:
        """The root's ``other_metadata``: of the opened product, which knows what is missing."""
        if self.tree is not None:
            return dict(self.tree.attrs.get("other_metadata", {}))
        metadata = self.root.get("other_metadata")
        return metadata if isinstance(metadata, dict) else {}

    @cached_property
    def product_type(self) -> str:
        """The product type in the STAC item, else as it was given on opening, or empty."""
        stored = self.properties.get("product:type")
        opened = product_type_of(self.tree.attrs) if self.tree is not None else ""
        return str(stored or opened)

    @cached_property
    def is_eopf(self) -> bool:
        """Whether it has the EOPF structure: a `stac_discovery` or one of the three groups."""
        return self.discovery is not None or any(
            set(EOPF_GROUPS) & set(path.split("/")) for path in self.groups
        )

    @cached_property
    def by_group(self) -> dict[str, dict[str, ArrayFacts]]:
        """Group path to its arrays by name."""
        arrays: dict[str, dict[str, ArrayFacts]] = {path: {} for path in self.groups}
        for array in self.arrays.values():
            arrays.setdefault(array.group, {})[array.name] = array
        return arrays

    def find(self, group: str, name: str) -> ArrayFacts | None:
        """Return an array by name in a group or in the nearest group above that has it."""
        place: str | None = group
        while place is not None:
            if name in self.by_group.get(place, {}):
                return self.by_group[place][name]
            place = place.rpartition("/")[0] if place else None
        return None


def every_array(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    """Give every array."""
    yield from subject.arrays.items()


def arrays_with(*keys: str) -> Callable[[Subject], Iterator[tuple[str, ArrayFacts]]]:
    """Return a function that gives every array with at least one of the attributes."""

    def look(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
        for path, item in subject.arrays.items():
            if any(key in item.attrs for key in keys):
                yield path, item

    return look


def every_group(subject: Subject) -> Iterator[tuple[str, dict[str, ArrayFacts]]]:
    """Give every group that has arrays."""
    yield from ((path, arrays) for path, arrays in subject.by_group.items() if arrays)


def the_discovery(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the STAC item, if there is one."""
    if subject.discovery is not None:
        yield "stac_discovery", subject.discovery


def discovery_with(*keys: str) -> Callable[[Subject], Iterator[tuple[str, Any]]]:
    """Give the value of each of these keys in the STAC item or in its properties."""

    def look(subject: Subject) -> Iterator[tuple[str, Any]]:
        for key in keys:
            if key in (subject.discovery or {}):
                yield f"stac_discovery/{key}", (subject.discovery or {})[key]
            if key in subject.properties:
                yield f"stac_discovery/properties/{key}", subject.properties[key]

    return look


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a finite number."""
    return (
        isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )
