"""Checks of a profile's rules, which run only if a profile is named."""

from collections.abc import Iterator
from typing import Any

from skerry.products.healing.profiles import Model, find_model
from skerry.validation.registry import check
from skerry.validation.subject import ArrayFacts, Subject

CPM = "cpm-2.8"
CATEGORIES = ("eoproduct", "eocontainer")


def old_names(subject: Subject) -> frozenset[str]:
    """Return the old property names that the profile under validation requires."""
    model = _model(subject)
    prefix = "stac_discovery/properties/"
    attributes = () if model is None else model.attributes
    return frozenset(item.removeprefix(prefix) for item in attributes if item.startswith(prefix))


def _model(subject: Subject) -> Model | None:
    return find_model(subject.root) if subject.profile == CPM else None


def has_model(subject: Subject) -> bool:
    """Tell whether the profile under validation lists the product's variables."""
    return _model(subject) is not None


def _types(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.profile == CPM:
        yield "stac_discovery/properties/product:type", subject.product_type


def _root(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    if subject.profile is not None:
        yield "other_metadata", subject.root


def _attributes(subject: Subject) -> Iterator[tuple[str, str]]:
    model = _model(subject)
    yield from ((path, path) for path in (() if model is None else model.attributes))


def _expected(subject: Subject) -> Iterator[tuple[str, str]]:
    model = _model(subject)
    for group, variables in ({} if model is None else model.groups).items():
        for name in variables:
            path = f"{group}/{name}".strip("/")
            yield path, path


def _data_variables(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    """Give the variables that are not coordinates."""
    if _model(subject) is None:
        return
    names = {
        name
        for array in subject.arrays.values()
        for name in [*_split(array.attrs.get("coordinates")), array.attrs.get("grid_mapping")]
    }
    for path, item in subject.arrays.items():
        if item.name not in names and item.dims != (item.name,):
            yield path, item


def _split(names: Any) -> list[str]:
    return names.split() if isinstance(names, str) else list(names or [])


@check(
    "profile.type",
    of=_types,
    remedy="Give a product of a type that eopf 2.8.1 has a model for, or validate without profile.",
)
def type_has_a_model(name: str, subject: Subject) -> str | None:
    """The profile describes products of this type."""
    return None if _model(subject) is not None else f"is {name!r}, which {CPM} does not describe"


@check(
    "profile.category",
    of=_root,
    remedy="Write other_metadata/eopf_category: eoproduct, or eocontainer for several.",
)
def category_is_named(root: dict[str, Any], _: Subject) -> str | None:
    """The product has an EOPF category."""
    other = root.get("other_metadata")
    category = other.get("eopf_category") if isinstance(other, dict) else None
    return None if category in CATEGORIES else f"has the eopf_category {category!r}"


@check(
    "profile.attributes",
    of=_attributes,
    remedy="Write the product again with skerry convert --profile cpm-2.8.",
)
def attribute_is_there(path: str, subject: Subject) -> str | None:
    """The root has every attribute that the profile's model requires."""
    place: Any = subject.root
    for step in path.split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or key not in place:
            return "is not there"
        place = place[key]
    return None


@check(
    "profile.variables",
    of=_expected,
    remedy="Fetch the missing parts, or validate a partial product without profile.",
)
def variable_is_there(path: str, subject: Subject) -> str | None:
    """The product has every variable that the profile's model requires."""
    return None if path in subject.arrays else "is not there"


@check(
    "profile.no-others",
    of=_data_variables,
    remedy="Remove the variable, or write the product in the profile 2025.",
)
def variable_is_known(array: ArrayFacts, subject: Subject) -> str | None:
    """The profile's model has every variable of the product."""
    model = _model(subject)
    in_model = model is None or model.kind_of(array.path) is not None
    return None if in_model else "is not in the model"


@check(
    "profile.dimensions",
    of=_data_variables,
    remedy="Write the product again with skerry convert --profile cpm-2.8.",
)
def dimensions_are_the_models(array: ArrayFacts, subject: Subject) -> str | None:
    """Variables have the dimensions of the profile's model."""
    model = _model(subject)
    kind = None if model is None else model.kind_of(array.path)
    if kind is None or array.dims == kind.dims:
        return None
    return f"has the dimensions {array.dims}, the model has {kind.dims}"
