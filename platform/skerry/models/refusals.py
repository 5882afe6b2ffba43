"""Refusals of orders that do not have the form of their model."""

from collections.abc import Sequence
from typing import Any

from skerry.core.errors import InvalidInputError

_SHOWN = 160


def explain_validation(errors: Sequence[Any]) -> InvalidInputError:
    """Return one error that names each offending value of a request that did not validate."""
    parts = []
    for error in errors[:5]:
        place = ".".join(str(step) for step in error["loc"])
        words = error["msg"].removeprefix("Value error, ")
        if error["type"] == "value_error" and place in (
            "",
            "body",
        ):  # of the whole: which values contradict each other, it says
            parts.append(words[0].upper() + words[1:])
            continue
        text = repr(error.get("input"))
        text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        parts.append(f"{place}: {words} (got {text})")
    return InvalidInputError(
        "; ".join(parts) + ".", remedy="Mend what is named; openapi.json has the full form."
    )
