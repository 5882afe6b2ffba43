"""Select a processor's inputs from products."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.declarations import AuxiliaryInput, Input, ProductInput, VariableInput


def name_type(product: xr.DataTree) -> str:
    """Return a product's type, such as ``S02MSIL2A``, or an empty text if it does not say."""
    discovery = product.attrs.get("stac_discovery") or {}
    return str((discovery.get("properties") or {}).get("product:type") or "")


def has_variable(product: xr.DataTree, path: str) -> bool:
    """Return whether a product has a variable at ``group/name``."""
    group, _, name = path.strip("/").rpartition("/")
    node: Any = product
    for step in filter(None, group.split("/")):
        if step not in node.children:
            return False
        node = node.children[step]
    return name in node.variables


def find_variable(product: xr.DataTree, path: str) -> xr.DataArray:
    """Return the variable at ``group/name``, with the coordinates of its group.

    Raises
    ------
    InvalidInputError
        If the product has no such variable.
    """
    if not has_variable(product, path):
        raise InvalidInputError(
            f"{product.name or 'The product'} has no {path}.",
            remedy="Give a product that has it: a partial product lists what it lacks when opened.",
        )
    variable: xr.DataArray = product[path]  # type: ignore[assignment]
    return variable


def read_moment(product: xr.DataTree) -> datetime:
    """Return when a product was taken, or began to be, in UTC.

    Raises
    ------
    InvalidInputError
        If the product has no such time.
    """
    properties = (product.attrs.get("stac_discovery") or {}).get("properties") or {}
    texts = [properties.get(key) for key in ("datetime", "start_datetime")]
    for text in texts:
        moment = parse_moment(text)
        if moment is not None:
            return moment
    raise InvalidInputError(
        f"{product.name or 'The product'} does not say when it was taken: {texts[0]!r}.",
        remedy="Give a product with a datetime or a start_datetime.",
    )


def parse_moment(text: Any) -> datetime | None:
    """Return a product's time in UTC, None for what is no time: real products have "null" too."""
    try:
        return as_utc(datetime.fromisoformat(str(text)))
    except (ValueError, OverflowError):
        return None


def as_utc(moment: datetime) -> datetime:
    """Return a time in UTC; a time without a zone is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def select_inputs(
    products: Sequence[xr.DataTree],
    inputs: Sequence[Input],
    auxiliary: Mapping[str, Mapping[str, bytes]],
    *,
    processor: str,
) -> dict[str, Any]:
    """Return the function's inputs by keyword.

    Raises
    ------
    InvalidInputError
        If a product or auxiliary folder is missing or too much, a product is of a type that the
        processor does not know, or lacks a variable. The message names them.
    """
    takers = [item for item in inputs if isinstance(item, ProductInput)]
    if not products or (len(products) > 1 and not any(item.many for item in takers)):
        count = "one product or more" if any(item.many for item in takers) else "one product"
        raise InvalidInputError(
            f"{processor} got {len(products)} products.", remedy=f"Give {count}."
        )
    selected: dict[str, Any] = select_auxiliary(inputs, auxiliary, processor)
    for item in takers:
        for product in products:
            _check_type(product, item.product_types, processor)
        selected[item.name] = list(products) if item.many else products[0]
    single = [item for item in inputs if isinstance(item, VariableInput)]
    return selected | (_select_variables(products[0], single, processor) if single else {})


def select_auxiliary(
    inputs: Sequence[Input], auxiliary: Mapping[str, Mapping[str, bytes]], processor: str
) -> dict[str, Any]:
    """Return the auxiliary folders, which are those that the processor names.

    Raises
    ------
    InvalidInputError
        If one is missing or too much. The message names them.
    """
    names = [item.name for item in inputs if isinstance(item, AuxiliaryInput)]
    if sorted(names) != sorted(auxiliary):
        raise InvalidInputError(
            f"{processor} got the auxiliary folders {sorted(auxiliary)}.",
            remedy=f"It needs {sorted(names)}." if names else "It needs none.",
        )
    return dict(auxiliary)


def _check_type(product: xr.DataTree, types: Sequence[str], processor: str) -> None:
    kind = name_type(product)
    if types and kind not in types:
        raise InvalidInputError(
            f"{processor} does not accept products of type {kind or 'unknown'!r} "
            f"({product.name or 'unnamed'}).",
            remedy=f"Give a product of type {', '.join(types)}; one without a STAC item is of the "
            "type in its attributes stac_discovery/properties/product:type.",
        )


def _select_variables(
    product: xr.DataTree, inputs: Sequence[VariableInput], processor: str
) -> dict[str, Any]:
    groups = sorted(set.intersection(*(set(item.sources) for item in inputs if not item.optional)))
    _check_type(product, groups, processor)
    kind = name_type(product)
    required = [item for item in inputs if not item.optional]
    for place in range(max(len(item.sources[kind]) for item in required)):
        paths = {item.name: item.sources.get(kind, ())[place : place + 1] for item in inputs}
        if all(
            paths[item.name] and has_variable(product, paths[item.name][0]) for item in required
        ):
            return {
                name: find_variable(product, path[0])
                if path and has_variable(product, path[0])
                else None
                for name, path in paths.items()
            }
    lacking = [
        item.sources[kind][0]
        for item in required
        if not has_variable(product, item.sources[kind][0])
    ]
    raise InvalidInputError(
        f"{product.name or 'The product'} lacks {', '.join(lacking)}, which {processor} needs.",
        remedy="Give a product that has all of them on one grid.",
    )
