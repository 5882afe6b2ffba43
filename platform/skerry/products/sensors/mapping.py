"""Read mapping files: what each product type's files hold, and where it stands in the tree.

A file in ``sensors/`` names, for each group of the tree, the files that hold its variables, their
format, and what the numbers mean; and for each attribute of the root the place in the metadata
documents. The engine reads a product by it, the simulator writes one by it. Adding a product type
is adding such a file and a test.

Repetition is written once: an object with a list ``each`` stands for an object per member, with
``{name}`` replaced by the member's value in every key and text below it. A list that several
objects repeat over stands once under ``lists`` and is named: ``"each": "grids"``; several names,
``"each": ["visible", "shortwave"]``, stand for one list after the other.

A type that differs little from another names it: ``"like": "sentinel_3_olci_efr"``. What the file
says is put over what the other says, objects into objects; ``"without"`` names group paths that
it does not have.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from skerry.core.errors import InvalidInputError
from skerry.products.sensors.records import Mapping

if TYPE_CHECKING:
    import xarray as xr


def list_types() -> list[str]:
    """Return the names of all mapping files."""
    folder = resources.files("skerry.products.sensors")
    return sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".json"))


@cache
def load_mapping(name: str) -> Mapping:
    """Read the mapping file of one product type, such as ``sentinel_2_l2a``."""
    raw = _read_whole(name)
    for group in raw["groups"]:
        group["variables"] = {
            key: {"source": item} if isinstance(item, str) else item
            for key, item in group["variables"].items()
        }
    return Mapping.model_validate(raw | {"name": name})


def load_mappings() -> Iterator[Mapping]:
    """Give the mapping files of all known types."""
    return (load_mapping(name) for name in list_types())


@cache
def find_type(product_type: str) -> str | None:
    """Return the name of the mapping file of an EOPF product type, such as ``S02MSIL2A``."""
    return next(
        (kind for kind in list_types() if _read_file(kind)["product_type"] == product_type), None
    )


def check_type(product_type: str) -> None:
    """Refuse the name of a product type without a mapping file.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    if find_type(product_type) is None:
        types = ", ".join(mapping.product_type for mapping in load_mappings())
        raise InvalidInputError(
            f"{product_type!r} is not a product type that Skerry knows.",
            remedy=f"Known types are {types}.",
        )


def product_type_of(attrs: Any) -> str:
    """Return the product type that the item in a group's attributes names, or an empty text."""
    item = attrs.get("stac_discovery")
    properties = item.get("properties") if isinstance(item, dict) else None
    value = properties.get("product:type") if isinstance(properties, dict) else None
    return value if isinstance(value, str) else ""


def recognise_type(tree: "xr.DataTree") -> str | None:
    """Return a product's mapping name, by its item, its metadata or its members' items."""
    mapping = find_type(product_type_of(tree.attrs))
    if mapping is not None:
        return mapping
    other = tree.attrs.get("other_metadata")
    name = other.get("mapping") if isinstance(other, dict) else None
    if isinstance(name, str) and name in list_types():
        return name
    kinds = {find_type(product_type_of(child.attrs)) for child in tree.children.values()} - {None}
    return kinds.pop() if len(kinds) == 1 else None


@cache
def list_variables(name: str) -> tuple[tuple[str, str], ...]:
    """Return group path (from ``{member}`` on) and name of all that a complete product has."""
    groups = [item for item in _read_whole(name)["groups"] if not item.get("optional")]
    return tuple((group["path"], variable) for group in groups for variable in group["variables"])


def _read_whole(name: str) -> dict[str, Any]:
    raw = _read_file(name)
    return _expand(_name_lists(raw, raw.pop("lists", {})))  # type: ignore[no-any-return]


def _read_file(name: str) -> dict[str, Any]:
    file = resources.files("skerry.products.sensors").joinpath(f"{name}.json")
    document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    if "like" not in document:
        return document
    merged: dict[str, Any] = _put_over(_read_file(document.pop("like")), document)
    without = merged.pop("without", [])
    merged["groups"] = [item for item in merged["groups"] if item["path"] not in without]
    return merged


def _put_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {
        key: _put_over(below[key], item) if key in below else item for key, item in above.items()
    }


def _name_lists(value: Any, lists: dict[str, Any]) -> Any:
    """Put the lists in the places of their names."""
    if isinstance(value, list):
        return [_name_lists(item, lists) for item in value]
    if isinstance(value, dict):
        return {
            key: _join_lists(item, lists) if key == "each" else _name_lists(item, lists)
            for key, item in value.items()
        }
    return value


def _join_lists(each: Any, lists: dict[str, Any]) -> Any:
    if isinstance(each, str):
        return lists.get(each, each)
    return [item for part in each for item in (lists[part] if isinstance(part, str) else [part])]


def _expand(value: Any) -> Any:
    """Write out what ``each`` stands for, in lists of objects and in objects of objects."""
    if isinstance(value, list):
        return [entry for item in value for entry in _repeat(item)]
    if isinstance(value, dict):
        return {
            key: entry
            for name, item in value.items()
            for key, entry in _repeat_named(name, item)
        }  # fmt: skip
    return value


def _repeat(value: Any) -> list[Any]:
    if not isinstance(value, dict) or "each" not in value:
        return [_expand(value)]
    body = {key: item for key, item in value.items() if key != "each"}
    return [entry for member in value["each"] for entry in _repeat(fill_names(body, member))]


def _repeat_named(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or "each" not in value:
        return [(name, _expand(value))]
    body = {key: item for key, item in value.items() if key != "each"}
    return [
        pair
        for member in value["each"]
        for pair in _repeat_named(fill_names(name, member), fill_names(body, member))
    ]


def fill_names(value: Any, member: dict[str, Any]) -> Any:
    """Replace ``{name}`` by the member's value in all texts of `value`."""
    if isinstance(value, str):
        if value[1:-1] in member and value == f"{{{value[1:-1]}}}":
            return member[value[1:-1]]
        for key, item in member.items():
            value = value.replace(f"{{{key}}}", str(item))
        return value
    if isinstance(value, list):
        return [fill_names(item, member) for item in value]
    if isinstance(value, dict):
        return {fill_names(key, member): fill_names(item, member) for key, item in value.items()}
    return value
