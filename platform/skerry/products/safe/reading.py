"""Build a lazy tree from a mapping and a product's files."""

from dataclasses import replace
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.products.safe.attributes import find, read_attributes
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.members import read_member_attributes, unfold
from skerry.products.safe.product import SafeProduct, load_format
from skerry.products.sensors.records import Group, Mapping
from skerry.products.stac_items import list_schemas

SIMULATOR = {"name": "Skerry, simulated", "roles": ["producer"]}
"""The provider that simulated products name."""


def assemble(files: ProductFiles, mapping: Mapping) -> xr.DataTree:
    """Build the tree of everything that `mapping` names and `files` has.

    Returns
    -------
    xarray.DataTree
        Groups by their names in the mapping, lazy. Root attributes by their names in the mapping,
        and in ``other_metadata``: ``mapping``, ``missing`` (what a complete product has and this
        product lacks), ``healed`` (nothing: items are made whole), ``unhealed`` (bands and files
        left out because they are damaged) and ``simulated``.

    Raises
    ------
    InvalidInputError
        If a metadata document is missing or broken, or a file is damaged or its size differs from
        the metadata.
    """
    product = SafeProduct(files, mapping)
    attrs = read_attributes(product)
    product.missing.extend(
        f"{title} ({pattern})"
        for title, pattern in mapping.expected.items()
        if files.find(pattern) is None
    )
    product, of_members = _unfold_members(product)
    datasets: dict[str, xr.Dataset] = {}
    for group in product.mapping.groups:
        data = load_format(group.format).read(product, group)
        if data.variables:
            earlier = datasets.get(group.path)
            datasets[group.path] = data if earlier is None else _join(product, group, earlier, data)
    if not any("measurements" in path and data.data_vars for path, data in datasets.items()):
        damaged = f": {product.damaged[0]}" if product.damaged else "."
        raise InvalidInputError(
            f"{files.path} has metadata but no measurement of a {mapping.title} product{damaged}",
            remedy="Give the whole product.",
        )
    name = str(find(attrs, "stac_discovery/id") or product.name)
    root = xr.Dataset(attrs=_complete(attrs, product, name))
    tree = xr.DataTree.from_dict({"/": root, **datasets}, name=name)
    simulated = root.attrs["other_metadata"]["simulated"]
    for member, own in of_members.items():
        _complete_item(own["stac_discovery"], None, simulated=simulated)
        tree[member].attrs.update(own)
    return tree


def _unfold_members(product: SafeProduct) -> tuple[SafeProduct, dict[str, dict[str, Any]]]:
    """Repeat a product's groups for each of its members; read the members' attributes."""
    if product.mapping.members is None:
        return product, {}
    module: Any = load_format(product.mapping.members.format)
    members = module.list_members(product)
    attributes = read_member_attributes(product, members)
    return replace(product, mapping=unfold(product.mapping, members)), attributes


def _join(product: SafeProduct, group: Group, dataset: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Join the parts of a group without comparing values, because that would read them."""
    try:
        return dataset.merge(data, compat="override", join="exact", combine_attrs="override")
    except ValueError as error:
        raise InvalidInputError(
            f"The files of {group.path} in {product.files.path} are of different sizes: "
            f"{dict(dataset.sizes)} and, in {group.file}, {dict(data.sizes)}.",
            remedy="Fetch the product again from its provider.",
        ) from error


def _complete(attrs: dict[str, Any], product: SafeProduct, name: str) -> dict[str, Any]:
    """Add the attributes that no document holds."""
    metadata = attrs.setdefault("other_metadata", {})
    simulated = bool(metadata.get("simulated", product.name.endswith("_SIM")))
    metadata |= {
        "mapping": product.mapping.name,
        "missing": product.missing,
        "healed": [],
        "simulated": simulated,
    }
    if product.damaged:
        metadata["unhealed"] = [f"damaged: {words}" for words in dict.fromkeys(product.damaged)]
    if "stac_discovery" in attrs:
        grid = product.grids[0] if product.grids else None
        attrs["stac_discovery"].setdefault("id", name)
        _complete_item(attrs["stac_discovery"], grid, simulated=simulated)
    title = f"{product.mapping.title} {name}"
    return {"title": f"SIMULATED {title}" if simulated else title, **attrs}


def _complete_item(item: dict[str, Any], grid: GeoBox | None, *, simulated: bool) -> None:
    properties = item.setdefault("properties", {})
    if grid is not None:
        properties["proj:bbox"] = [float(element) for element in grid.boundingbox.bbox]
    if simulated:
        properties["providers"] = [SIMULATOR]
    item.setdefault("stac_extensions", list_schemas(properties))
    item.setdefault("links", [])
    item.setdefault("assets", {})
