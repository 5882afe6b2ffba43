"""Say what eopf 2.8.1's validator wants of each product type, in the form of our profile data.

Answers questions (see answer.py); run with the reference environment's Python it prints JSON.
"""

import json
import re
from pathlib import Path
from typing import Any

import eopf

FOLDER = Path(eopf.__file__).parent
TYPES = {
    "S02MSIL1C": "S02MSIL1C_PSD15",
    "S02MSIL2A": "S02MSIL2A_PSD15",
    "S03OLCEFR": "S03OLCEFR",
    "S03OLCERR": "S03OLCERR",
    "S03SLSRBT": "S03SLSRBT",
}
ALWAYS = {"long_name", "short_name", "dtype", "dimensions"}


def list_short_names(mapping: str) -> dict[str, str]:
    entries = json.loads((FOLDER / f"store/mapping/{mapping}.json").read_text())["data_mapping"]
    result = {}
    for entry in entries:
        match = re.search(r'"short_name": "([^"]+)"', json.dumps(entry))
        path = str(entry.get("target_path", ""))
        if match and path.startswith("/"):
            result[path.strip("/")] = match.group(1)
    return result


def describe(product_type: str, mapping: str) -> dict[str, Any]:
    model = json.loads((FOLDER / f"product/models/{product_type}.json").read_text())
    short_names = list_short_names(mapping)
    kinds: list[dict[str, Any]] = []
    groups: dict[str, dict[str, int]] = {}
    names = {}
    for key, variable in sorted(model["variables"].items()):
        path = key.strip("/")
        kind = {
            "dtype": variable["dtype"],
            "dims": variable["dims"],
            "attrs": sorted(set(variable["attrs"]) - ALWAYS),
        }
        if kind not in kinds:
            kinds.append(kind)
        group, _, name = path.rpartition("/")
        groups.setdefault(group, {})[name] = kinds.index(kind)
        if short_names.get(path, name) != name:
            names[path] = short_names[path]
    attributes = [
        path
        for path, rule in model["attrs"].items()
        if not path.startswith("stac_discovery/assets/") and rule.get("required", True)
    ]
    return {
        "attributes": sorted(attributes),
        "kinds": kinds,
        "groups": groups,
        "short_names": names,
    }


def describe_all() -> dict[str, Any]:
    return {name: describe(name, item) for name, item in TYPES.items()}


if __name__ == "__main__":
    print(json.dumps(describe_all(), sort_keys=True))
