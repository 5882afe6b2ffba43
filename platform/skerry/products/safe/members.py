"""Products of several similar members: one set of groups in the mapping, a node for each member.

The format in `Members.format` has two functions in addition to those of every format::

    def list_members(product: SafeProduct) -> list[dict[str, str]]
    def members_of_tree(tree: xr.DataTree) -> list[dict[str, str]]

Both return for each member the texts that replace names in braces in the mapping: ``member``, the
name of its node below the root, and what the file patterns need.
"""

from dataclasses import replace
from typing import Any

from skerry.products.safe.attributes import read_attributes
from skerry.products.safe.product import SafeProduct
from skerry.products.sensors.mapping import fill_names
from skerry.products.sensors.records import Group, Mapping, Members


def unfold(mapping: Mapping, members: list[dict[str, str]]) -> Mapping:
    """Return the mapping with its groups written out for every member."""
    groups = tuple(
        Group.model_validate(fill_names(group.model_dump(), member))
        for member in members
        for group in mapping.groups
    )
    return mapping.model_copy(update={"groups": groups})


def read_member_attributes(
    product: SafeProduct, members: list[dict[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the attributes of the node of each member whose documents are there.

    A member takes attributes from the product where its own documents have none.
    """
    return {
        member["member"]: read_attributes(view)
        for member in members
        if (view := _view_member(product, member)) is not None
    }


def _view_member(product: SafeProduct, member: dict[str, str]) -> SafeProduct | None:
    """Return the product with the member's documents, besides its own, and its attributes."""
    if product.mapping.members is None:
        return None
    raw = product.mapping.members.model_dump()
    own = Members.model_validate(fill_names(raw, member))
    if any(product.files.find(pattern) is None for pattern in own.documents.values()):
        return None
    documents = product.mapping.documents | own.documents
    attributes = product.mapping.attributes | own.attributes
    changed = {"documents": documents, "expected": {}, "attributes": attributes}
    return replace(product, mapping=product.mapping.model_copy(update=changed))
