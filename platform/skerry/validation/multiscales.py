"""Checks of overviews: a GeoZarr has all levels that its ``multiscales`` lists.

Source: zarr-conventions/multiscales v1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skerry.products.coding.zarr_conventions import MULTISCALES
from skerry.validation.rasters import list_rasters
from skerry.validation.registry import check
from skerry.validation.subject import ArrayFacts, Subject


@dataclass(frozen=True)
class Multiscale:
    """A group with overviews: its path, its attributes and the layout's entries."""

    path: str
    attrs: dict[str, Any]
    layout: list[dict[str, Any]]

    def level(self, number: int, subject: Subject) -> dict[str, ArrayFacts]:
        """Return the rasters of a level by name."""
        place = f"{self.path}/{self.layout[number].get('asset')}".lstrip("/")
        return {
            name: item
            for name, item in subject.by_group.get(place, {}).items()
            if item.dims is not None and item.dims[-2:] == ("y", "x")
        }


def _groups(subject: Subject) -> Iterator[tuple[str, Multiscale]]:
    for path, attrs in subject.groups.items():
        multiscales = attrs.get("multiscales")
        if multiscales is not None:
            layout = multiscales.get("layout") if isinstance(multiscales, dict) else None
            entries = [item for item in layout or [] if isinstance(item, dict)]
            yield path, Multiscale(path, attrs, entries)


def _complete_groups(subject: Subject) -> Iterator[tuple[str, Multiscale]]:
    """Give groups with all their levels; the layout's own check reports the others."""
    for path, item in _groups(subject):
        if item.layout and layout_is_there(item, subject) is None:
            yield path, item


@check(
    "multiscales.layout",
    of=_groups,
    remedy="List the existing level groups, finest first, in multiscales.layout.",
)
def layout_is_there(group: Multiscale, subject: Subject) -> str | None:
    """Every level that the layout lists is a group with arrays."""
    if not group.layout:
        return "lists no levels"
    for entry in group.layout:
        place = f"{group.path}/{entry.get('asset')}".lstrip("/")
        if not subject.by_group.get(place):
            return f"lists the level {entry.get('asset')!r}, which has no array"
    return None


@check(
    "multiscales.variables",
    of=_complete_groups,
    remedy="Write every raster at all levels that are coarser than its own, or at no other level.",
)
def levels_have_the_same(group: Multiscale, subject: Subject) -> str | None:
    """Every raster is at its own level and at all coarser levels."""
    finer: set[str] = set()
    for number, entry in enumerate(group.layout):
        names = set(group.level(number, subject))
        if finer - names:
            return f"the level {entry['asset']} has no {', '.join(sorted(finer - names))}"
        finer |= names
    return None


@check(
    "multiscales.sizes",
    of=_complete_groups,
    remedy="Make each level smaller by the scale of its transform; a partial last pixel counts.",
)
def levels_shrink_as_stated(group: Multiscale, subject: Subject) -> str | None:
    """Each level is smaller than the level it is derived from, by the scale in the layout."""
    numbers = {str(entry["asset"]): number for number, entry in enumerate(group.layout)}
    for number, entry in enumerate(group.layout):
        source = numbers.get(str(entry.get("derived_from")))
        if source is None:
            continue
        scale = (entry.get("transform") or {}).get("scale") or [2.0, 2.0]
        finer, coarser = group.level(source, subject), group.level(number, subject)
        for name in sorted(set(finer) & set(coarser)):
            for axis, factor in zip((-2, -1), scale[-2:], strict=True):
                expected = finer[name].shape[axis] / float(factor)
                if abs(coarser[name].shape[axis] - expected) >= 1:
                    return (
                        f"{name} has {coarser[name].shape} at the level {entry['asset']}, "
                        f"{finer[name].shape} at {entry['derived_from']}, and a scale of {factor:g}"
                    )
    return None


@check(
    "multiscales.corners",
    of=_complete_groups,
    remedy="Let the pixels of every level begin at the same upper left corner.",
)
def levels_begin_at_one_corner(group: Multiscale, subject: Subject) -> str | None:
    """All levels begin at the same corner, to a tenth of a pixel of the finest."""
    there = {raster.group: raster for raster in list_rasters(subject)}
    levels = [there.get(f"{group.path}/{item.get('asset')}".lstrip("/")) for item in group.layout]
    corners = [item for item in levels if item is not None]
    for item in corners[1:]:
        off = max(
            abs(place - first) for place, first in zip(item.corner, corners[0].corner, strict=True)
        )
        if off > corners[0].tolerance:
            return (
                f"{item.group} begins at {item.corner}, {corners[0].group} at {corners[0].corner}"
            )
    return None


@check(
    "multiscales.convention",
    of=_groups,
    remedy="Add the multiscales convention to zarr_conventions, with its uuid.",
)
def convention_is_declared(group: Multiscale, _: Subject) -> str | None:
    """A group with overviews declares the convention that describes them."""
    declared = group.attrs.get("zarr_conventions") or []
    is_listed = any(
        isinstance(item, dict) and item.get("uuid") == MULTISCALES["uuid"] for item in declared
    )
    return None if is_listed else "does not declare the multiscales convention"
