"""The metadata of a processor's result: its STAC item, its history and its sources."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xarray as xr

from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION
from skerry.processors.registry import Processor
from skerry.processors.selection import parse_moment
from skerry.products.stac_items import build_item

CARRIED = (
    "platform", "constellation", "instruments", "mission", "sat:orbit_state",
    "sat:relative_orbit", "sat:absolute_orbit",
)  # fmt: skip
"""Properties of the inputs that hold for the result, where all inputs agree."""
DERIVED_LEVEL = "Level-2 Product"
"""Level of the first entry in a history; later ones join the last level that is there."""


def describe_result(
    result: xr.Dataset | xr.DataTree,
    processor: Processor,
    parameters: Mapping[str, Any],
    sources: Sequence[xr.DataTree],
    *,
    name: str,
    auxiliary: Sequence[Mapping[str, Any]] = (),
) -> xr.DataTree:
    """Make a product of a processor's result.

    Parameters
    ----------
    result
        One dataset, which becomes ``/measurements``, or a tree, which keeps its groups.
    processor, parameters
        The processor's step; all parameters, defaults included.
    sources
        Its source products.
    name
        The product's name: the id of its item.
    auxiliary
        Records of the auxiliary files used.

    Returns
    -------
    xarray.DataTree
        With ``title``, ``stac_discovery``, ``other_metadata`` and ``processing_history``.
    """
    if isinstance(result, xr.DataTree):
        tree = result.copy()
    else:
        tree = xr.DataTree.from_dict({"/measurements": result})
    tree.name = name
    simulated = any(_is_simulated(source) for source in sources)
    title = processor.summary.rstrip(".")
    tree.attrs = {
        **tree.attrs,
        "title": f"Simulated: {title}" if simulated else title,
        "stac_discovery": _describe_item(processor, sources, name),
        "other_metadata": {"simulated": simulated, "missing": [], "healed": []},
        "processing_history": _extend_history(processor, parameters, sources, name, auxiliary),
    }
    return tree


def link_sources(tree: xr.DataTree, places: Sequence[str], output: Path) -> None:
    """Add ``derived_from`` links to the item, relative to where the product is written."""
    tree.attrs["stac_discovery"]["links"] = [
        {"rel": "derived_from", "href": _make_href(place, output)} for place in places
    ]


def _make_href(place: str, output: Path) -> str:
    if "://" in place:
        return place.partition("?")[0]  # signatures and keys stand behind the question mark
    return Path(os.path.relpath(Path(place).absolute(), output.absolute().parent)).as_posix()


def _is_simulated(tree: xr.DataTree) -> bool:
    return bool((tree.attrs.get("other_metadata") or {}).get("simulated"))


def _describe_item(
    processor: Processor, sources: Sequence[xr.DataTree], name: str
) -> dict[str, Any]:
    items = [dict(source.attrs.get("stac_discovery") or {}) for source in sources]
    records = [dict(item.get("properties") or {}) for item in items]
    properties: dict[str, Any] = {
        **_carry(records),
        **_describe_time(records),
        "created": format_time(utc_now()),
        "processing:lineage": f"{processor.summary} {processor.citation}".strip(),
        "processing:software": {"skerry": VERSION, processor.name: processor.version},
        "processing:datetime": format_time(utc_now()),
    }
    return build_item(name, properties, geometry=_join_places(items))


def _carry(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the properties in which all sources agree."""
    first = sources[0] if sources else {}
    return {
        key: first[key]
        for key in CARRIED
        if key in first and all(item.get(key) == first[key] for item in sources)
    }


def _describe_time(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the data time of the latest source, with the period of all sources."""
    moments, starts, ends = (
        [moment for item in sources if (moment := _read_time(item, *names)) is not None]
        for names in (
            ("datetime",), ("start_datetime", "datetime"), ("end_datetime", "datetime"),
        )
    )  # fmt: skip
    times: dict[str, Any] = {"datetime": format_time(max(moments)) if moments else None}
    if sources and len(starts) == len(ends) == len(sources):
        times |= {
            "start_datetime": format_time(min(starts)), "end_datetime": format_time(max(ends)),
        }  # fmt: skip
    return times


def _read_time(properties: Mapping[str, Any], *names: str) -> datetime | None:
    """Return the first of some properties that is a time; texts in other zones sort wrongly."""
    moments = (parse_moment(properties.get(name)) for name in names)
    return next((moment for moment in moments if moment is not None), None)


def _join_places(items: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the geometry of all sources, None if no source has a place."""
    from shapely.geometry import mapping, shape
    from shapely.ops import unary_union

    shapes = [shape(item["geometry"]) for item in items if item.get("geometry")]
    union = shapes[0] if len(shapes) == 1 else unary_union(shapes)
    if union.is_empty:
        return None
    joined: dict[str, Any] = json.loads(json.dumps(mapping(union)))  # tuples become lists
    return joined


def _extend_history(
    processor: Processor,
    parameters: Mapping[str, Any],
    sources: Sequence[xr.DataTree],
    name: str,
    auxiliary: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the first source's history with one entry more.

    The entry has the fields of EOPF's processing histories: texts, lists and objects only.
    """
    before = dict(sources[0].attrs.get("processing_history") or {}) if sources else {}
    level = next(reversed(before), DERIVED_LEVEL)
    entry = {
        "processor": processor.name,
        "version": processor.version,
        "facility": "Skerry",
        "time": utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "inputs": [str(source.name) for source in sources],
        "outputs": [name],
        "adfs": [
            f"{Path(str(item['folder'])).name}/{file}"
            for item in auxiliary
            for file in item.get("files", {})
        ],
        "execution_parameters": {
            key: json.dumps(value, default=str) for key, value in parameters.items()
        },
    }
    return {**before, level: [*before.get(level, []), entry]}
