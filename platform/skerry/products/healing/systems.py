"""Names of reference systems in attributes: proj:code, proj:epsg and proj:wkt2."""

import re
from functools import lru_cache
from typing import Any, Final

_CODE: Final = re.compile(r"(?:([A-Za-z]\w*):)?(\w+)")
_NUMBER: Final = re.compile(r"(?:EPSG:)?(\d+)(?:\.0)?", re.IGNORECASE)


def find_codes(attrs: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the codes that ``proj:code`` and ``proj:epsg`` name, such as ``EPSG:32633``.

    Numbers, texts of numbers and texts with ``EPSG:`` before them are understood in both. A code
    in the current spelling is accepted without a check.

    Returns
    -------
    codes
        Codes without repetitions; the code of ``proj:code`` is first.
    wrong
        Values that are not known reference systems, such as ``proj:epsg 99999999``.
    """
    codes: list[str] = []
    wrong: list[str] = []
    for key in ("proj:code", "proj:epsg"):
        value = attrs.get(key)
        if value in (None, ""):
            continue
        code = _spell(value)
        if code is None or ((key == "proj:epsg" or value != code) and not is_known(code)):
            wrong.append(f"{key} {str(value)[:40]}")
        elif code not in codes:
            codes.append(code)
    return codes, wrong


def _spell(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = _NUMBER.fullmatch(str(value).strip())
    if number is not None:
        return f"EPSG:{int(number[1])}"
    text = str(value).strip()
    code = _CODE.fullmatch(text)
    return text if code is not None and code[1] else None


def is_known(code: str) -> bool:
    """Tell whether PROJ knows a code or can read a WKT."""
    return name_system(code) is not None


@lru_cache(maxsize=256)
def _name_text(text: str) -> str | None:
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    if text.upper().startswith("EPSG:"):
        text = text.upper()
    try:
        system = CRS(text)
        authority = system.authority
    except (CRSError, ValueError, OverflowError):
        return None
    return ":".join(map(str, authority)) if authority[0] else text


def name_system(text: Any) -> str | None:
    """Return the code of a reference system, or its WKT without a code; None for other values."""
    return _name_text(text) if isinstance(text, str) and text.strip() else None


def name_attributes(attrs: dict[str, Any]) -> tuple[str | None, list[str]]:
    """Return what an array's ``proj:`` attributes name, and the values that are not valid codes.

    ``proj:wkt2`` counts only without a valid code.
    """
    codes, wrong = find_codes(attrs)
    names = [code for code in codes if is_known(code)]
    wrong += [f"proj:code {code}" for code in codes if code not in names]
    if names:
        return names[0], wrong
    return name_system(attrs.get("proj:wkt2")), wrong
