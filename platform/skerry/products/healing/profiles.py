"""The two profiles of EOPF products, and the root attributes of each.

``2025``
    The form of the products that the EOPF sample service published in 2025.
``cpm-2.8``
    What the validator of EOPF CPM 2.8.1 (`eopf validate --mode "STRUCTURE | MODEL"`) requires: for
    each product type exactly its variables and attributes, no others. ``cpm_2_8.json`` holds
    these facts; `tests/reference/describe_models.py` reads them from the installed validator.

A tree in memory is canonical: its attributes are as in ``2025``, also after reading ``cpm-2.8``.
Attributes that ``cpm-2.8`` does not allow are written to ``processing_history/skerry``, which its
model does not check, and reading restores them from there.
"""

import json
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Final

import xarray as xr
from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError
from skerry.products.coding.json_values import TYPES, from_json
from skerry.products.sensors.mapping import product_type_of

PROFILES: Final = ("2025", "cpm-2.8")
HISTORY: Final = "processing_history"
KEPT: Final = "skerry"
"""Key in `HISTORY` for attributes that the model of the profile ``cpm-2.8`` does not allow."""
CATEGORY: Final = "other_metadata/eopf_category"
UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"
ASSETS: Final = "stac_discovery/assets"

_DISTANCE = (
    "reflectance_correction_factor_from_the_{}_distance_variation_"
    "computed_using_the_acquisition_date"
)
_OTHER_SPELLINGS = (
    ("absolute_location_assessment_from_aocs", "absolute_location_assessment_from_AOCS"),
    ("aot_retrieval_model", "AOT_retrieval_model"),
    ("declared_accuracy_of_aot_model", "declared_accuracy_of_AOT_model"),
    ("horizontal_crs_code", "horizontal_CRS_code"),
    ("horizontal_crs_name", "horizontal_CRS_name"),
    ("l0_ancillary_data_quality", "L0_ancillary_data_quality"),
    ("l0_ephemeris_data_quality", "L0_ephemeris_data_quality"),
    ("nuc_table_id", "NUC_table_ID"),
    ("percentage_of_degraded_msi_data", "percentage_of_degraded_MSI_data"),
    ("planimetric_stability_assessment_from_aocs", "planimetric_stability_assessment_from_AOCS"),
    (_DISTANCE.format("sun_earth"), _DISTANCE.format("Sun-Earth")),
    ("swir_rearrangement_flag", "SWIR_rearrangement_flag"),
    ("utm_zone_identification", "UTM_zone_identification"),
)
SPELLINGS: Final = {
    "stac_discovery/properties/eopf:datatake_id": "stac_discovery/properties/eopf:data_take_id",
    **{
        f"other_metadata/{cpm}": f"other_metadata/{canonical}"
        for cpm, canonical in _OTHER_SPELLINGS
    },
}
"""Attribute path in ``cpm-2.8`` to the canonical path, if they differ."""


OMITTED: Final = ("quality/l1c_quicklook", "quality/l2a_quicklook", "quality/probability/r60m")
"""Groups of Sentinel-2 products that ``cpm-2.8`` lacks: left out, with everything below."""
TIE_POINT_GROUPS: Final = {"S03OLC": ("conditions/geometry", "conditions/meteorology")}
"""Family of product types to groups on tie points: ``cpm-2.8`` renames their dimensions."""
TIE_POINT_DIMS: Final = {"tp_rows": "rows", "tp_columns": "columns"}
"""Canonical dimension name to the name in ``cpm-2.8``."""


class VariableModel(BaseModel):
    """The model of variables: type and dimensions of the values, and allowed attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: str
    dims: tuple[str, ...]
    attrs: frozenset[str]


class Model(BaseModel):
    """What the validator requires of a product type.

    Attributes
    ----------
    attributes
        Paths of required root attributes; assets come from the variables.
    kinds
        Kinds of variables.
    groups
        Group path to variable name to index in `kinds`.
    short_names
        Variable path to short name, if it differs from the variable's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attributes: tuple[str, ...]
    kinds: tuple[VariableModel, ...]
    groups: dict[str, dict[str, int]]
    short_names: dict[str, str]

    def short_name_of(self, path: str) -> str:
        """Return a variable's short name."""
        return self.short_names.get(path, path.rpartition("/")[2])

    def kind_of(self, path: str) -> VariableModel | None:
        """Return a variable's kind by its path, None if the model does not know it."""
        group, _, name = path.rpartition("/")
        index = self.groups.get(group, {}).get(name)
        return None if index is None else self.kinds[index]


@cache
def _load_models() -> dict[str, Model]:
    text = resources.files("skerry.products.healing").joinpath("cpm_2_8.json").read_text("utf-8")
    return {name: Model.model_validate(item) for name, item in json.loads(text).items()}


def find_model(attrs: dict[str, Any]) -> Model | None:
    """Return the validator's model of a product by its root attributes, if there is one."""
    return _load_models().get(product_type_of(attrs))


def check_profile(name: str) -> str:
    """Return the name of a profile; refuse others."""
    if name not in PROFILES:
        raise InvalidInputError(
            f"There is no EOPF profile {name!r}.", remedy=f"Use one of {', '.join(PROFILES)}."
        )
    return name


def is_omitted(path: str, product_type: str) -> bool:
    """Tell whether ``cpm-2.8`` leaves a group out."""
    inside = tuple(f"{item}/" for item in OMITTED)
    return product_type.startswith("S02MSI") and f"{path.strip('/')}/".startswith(inside)


def rename_dims(data: xr.Dataset, path: str, product_type: str, *, canonical: bool) -> xr.Dataset:
    """Return a group with the dimension names of a canonical tree, or those of ``cpm-2.8``."""
    if path.strip("/") not in TIE_POINT_GROUPS.get(product_type[:6], ()):
        return data
    names = {item: key for key, item in TIE_POINT_DIMS.items()} if canonical else TIE_POINT_DIMS
    pairs = {key: item for key, item in names.items() if key in data.dims}
    return data.rename_dims(pairs) if pairs else data


def to_profile(tree: xr.DataTree, name: str) -> dict[str, Any]:
    """Return the root attributes of a canonical tree as a profile has them."""
    check_profile(name)
    attrs: Any = deepcopy(dict(tree.attrs))
    attrs.setdefault("stac_discovery", {})
    attrs.setdefault("other_metadata", {})
    if name == "2025":
        return _write_2025(attrs)
    paths = [
        f"{node.path}/{variable}".strip("/") for node in tree.subtree for variable in node.data_vars
    ]
    return _write_cpm(attrs, find_model(attrs), paths)


def _write_2025(attrs: dict[str, Any]) -> dict[str, Any]:
    item = attrs["stac_discovery"]
    properties = item.get("properties") if isinstance(item, dict) else None
    if not isinstance(properties, dict):
        return attrs
    code = str(properties.get("proj:code", ""))
    if code.startswith("EPSG:") and code[5:].isdigit():
        properties["proj:epsg"] = int(code[5:])
    return attrs


def _write_cpm(attrs: dict[str, Any], model: Model | None, variables: list[str]) -> dict[str, Any]:
    if model is None:
        return attrs
    history = attrs.pop(HISTORY, None)
    leaves = dict(_list_leaves(attrs))
    allowed = {SPELLINGS.get(path, path): path for path in model.attributes}
    written: dict[str, Any] = {}
    leftover: dict[str, Any] = {}
    for path, value in leaves.items():
        is_leaf = not isinstance(value, dict)
        place = allowed.get(path, path if path in model.attributes else None)
        if place is not None and is_leaf:
            _put(written, place, value)
        else:
            leftover[path] = value
    unknown = [path for path in model.attributes if SPELLINGS.get(path, path) not in leaves]
    for path in unknown:
        _put(written, path, "eoproduct" if path == CATEGORY else None)
    for path in variables:
        if model.kind_of(path) is not None:
            short = model.short_name_of(path)
            _put(written, f"{ASSETS}/{_escape(short)}", {"href": f"/{path}", "title": short})
    block = {
        "processingTime": str(leaves.get("stac_discovery/properties/created") or UNKNOWN_TIME),
        "simulated": bool(leaves.get("other_metadata/simulated", False)),
        "attributes": leftover,
        "unknown": unknown,
    }
    if history is not None and not isinstance(history, dict):
        block["history"] = history
    written[HISTORY] = {**(history if isinstance(history, dict) else {}), KEPT: [block]}
    written.setdefault("stac_discovery", {})
    written.setdefault("other_metadata", {})
    return written


def read_root(attrs: dict[str, Any]) -> dict[str, Any]:
    """Turn root attributes of either profile into canonical ones; others stay as they are.

    Raises
    ------
    InvalidInputError
        If the attributes that ``cpm-2.8`` set aside are damaged.
    """
    attrs = deepcopy(attrs)
    block = _take_block(attrs)
    for path, canonical in SPELLINGS.items():
        value = _take(attrs, path)
        if value is not _ABSENT:
            _put(attrs, canonical, value)
    for path in block.get("unknown", []):
        _take(attrs, SPELLINGS.get(path, path))
    if block:
        if isinstance(attrs.get("stac_discovery"), dict):
            attrs["stac_discovery"].pop("assets", None)
        if "history" in block:
            attrs[HISTORY] = block["history"]
        elif not attrs.get(HISTORY):
            attrs.pop(HISTORY)
        for path, value in block.get("attributes", {}).items():
            _put(attrs, path, value)
    return attrs


def _take_block(attrs: dict[str, Any]) -> dict[str, Any]:
    """Remove the attributes that `_write_cpm` set aside, and return them; empty if none."""
    history = attrs.get(HISTORY)
    if not isinstance(history, dict) or not _is_block(history.get(KEPT)):
        return {}
    try:
        from_json(attrs, history[KEPT][0].pop(TYPES, {}))
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"The attributes under {HISTORY}/{KEPT} do not fit together ({error}).",
            remedy="Fetch the product again, or write it again.",
        ) from error
    block: dict[str, Any] = history.pop(KEPT)[0]
    return block


def _is_block(value: Any) -> bool:
    """Tell whether `_write_cpm` can have written this."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    attributes, unknown = value[0].get("attributes", {}), value[0].get("unknown", [])
    paths = isinstance(unknown, list) and all(isinstance(item, str) for item in unknown)
    return paths and isinstance(attributes, dict)


_ABSENT: Final = object()


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _split(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _list_leaves(attrs: dict[str, Any], prefix: str = "") -> Any:
    for key, value in attrs.items():
        path = f"{prefix}{_escape(str(key))}"
        if isinstance(value, dict) and value:
            yield from _list_leaves(value, f"{path}/")
        else:
            yield path, value


def _put(attrs: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = _split(path)
    for key in parents:
        if not isinstance(attrs.get(key), dict):
            attrs[key] = {}
        attrs = attrs[key]
    attrs[last] = value


def _take(attrs: dict[str, Any], path: str) -> Any:
    """Remove a value, and the dicts that it leaves empty; return it or `_ABSENT`."""
    *parents, last = _split(path)
    chain = [attrs]
    for key in parents:
        inner = chain[-1].get(key)
        if not isinstance(inner, dict):
            return _ABSENT
        chain.append(inner)
    value = chain[-1].pop(last, _ABSENT)
    for key, outer, inner in zip(parents[::-1], chain[-2::-1], chain[:0:-1], strict=True):
        if value is not _ABSENT and not inner:
            del outer[key]
    return value
