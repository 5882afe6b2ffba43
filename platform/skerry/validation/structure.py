"""Checks of the structure: groups, dimensions, sizes, names."""

import json
from collections.abc import Iterator
from typing import Any

from skerry.validation.registry import check
from skerry.validation.subject import (
    EOPF_GROUPS,
    ArrayFacts,
    Index,
    Subject,
    every_array,
    every_group,
)


def _itself(subject: Subject) -> Iterator[tuple[str, Subject]]:
    yield "", subject


def _eopf(subject: Subject) -> Iterator[tuple[str, Subject]]:
    if subject.is_eopf:
        yield "", subject


def _indexed(subject: Subject) -> Iterator[tuple[str, Index]]:
    if subject.index is not None:
        yield "", subject.index


def _attributes(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    if subject.container.startswith("zarr"):
        yield from subject.groups.items()
        yield from ((path, item.attrs) for path, item in subject.arrays.items())


@check(
    "structure.opens",
    of=_itself,
    remedy="Correct what the other checks report, or fetch the product again.",
)
def opens(subject: Subject, _: Subject) -> str | None:
    """Skerry opens the product."""
    return subject.problem or None


@check(
    "structure.groups",
    of=_eopf,
    remedy="Put measured variables below /measurements, what they depend on below /conditions, "
    "and masks and uncertainties below /quality.",
)
def has_measurements(subject: Subject, _: Subject) -> str | None:
    """An EOPF product has arrays below measurements, and no other group beside these three."""
    if not any("measurements" in path.split("/") for path in subject.arrays):
        return "has no array below measurements"
    top = {path.split("/")[0] for path in subject.groups if path}
    # Sentinel-1 keeps one product a polarisation, each with the three groups.
    nested = {
        item
        for item in top
        if {path.split("/")[1] for path in subject.groups if path.startswith(f"{item}/")}
        & set(EOPF_GROUPS)
    }
    strange = sorted(top - nested - set(EOPF_GROUPS))
    return f"has the groups {', '.join(strange)}" if strange else None


@check(
    "structure.dimensions",
    of=every_array,
    remedy="Name every dimension (Zarr v2: _ARRAY_DIMENSIONS, v3: dimension_names).",
)
def names_dimensions(array: ArrayFacts, _: Subject) -> str | None:
    """Every array names each of its dimensions exactly once."""
    if array.dims is None:
        return f"names no dimensions for its {len(array.shape)} axes" if array.shape else None
    if len(array.dims) != len(array.shape):
        return f"names the dimensions {', '.join(array.dims)} for {len(array.shape)} axes"
    if len(set(array.dims)) != len(array.dims):
        return f"names a dimension twice: {', '.join(array.dims)}"
    return None


@check(
    "structure.sizes",
    of=every_group,
    remedy="Give arrays of another size another dimension name or another group.",
)
def agrees_on_sizes(arrays: dict[str, ArrayFacts], _: Subject) -> str | None:
    """A dimension has the same size in all arrays of a group."""
    sizes: dict[str, dict[int, str]] = {}
    for array in arrays.values():
        if array.dims is not None and len(array.dims) == len(array.shape):
            for dim, size in zip(array.dims, array.shape, strict=True):
                sizes.setdefault(dim, {}).setdefault(size, array.name)
    for dim, sizes_by_name in sizes.items():
        if len(sizes_by_name) > 1:
            listing = ", ".join(f"{size} in {name}" for size, name in sizes_by_name.items())
            return f"the dimension {dim} has several sizes: {listing}"
    return None


@check(
    "structure.consolidated",
    of=_indexed,
    remedy="Consolidate the metadata again: zarr.consolidate_metadata(store).",
)
def index_is_true(index: Index, subject: Subject) -> str | None:
    """Consolidated metadata list exactly the stored arrays, with the metadata of each."""
    absent = sorted(index.arrays - set(subject.arrays))
    unknown = sorted(set(subject.arrays) - index.arrays)
    complaints = [f"lists {item}, which is not there" for item in absent[:3]]
    complaints += [f"does not list {item}" for item in unknown[:3]]
    complaints += [f"differs from the document of {item or '/'}" for item in index.stale[:3]]
    return "; ".join(complaints) or None


@check(
    "structure.json",
    of=_attributes,
    remedy="Write null or a text instead; NaN and infinity are not JSON.",
)
def attributes_are_json(attrs: dict[str, Any], _: Subject) -> str | None:
    """Attributes are JSON that every parser reads."""
    for key, value in attrs.items():
        if key in {"_FillValue", "fill_value"} and isinstance(value, float):
            continue  # NaN is the usual mark of float arrays, and every Zarr reader takes it
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            return f"the attribute {key} holds NaN or infinity"
    return None
