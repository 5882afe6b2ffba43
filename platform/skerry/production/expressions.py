"""Expressions in a job's parameters, which each run replaces by its own day or instant.

``{{ day }}`` is the day of the run's data, as 2026-05-01, and ``{{ day - 3d }}`` is three days
earlier. ``{{ tick }}`` is the instant that started the run, as 2026-05-01T05:30:00Z, and
``{{ tick - 6h }}`` is six hours earlier. Weeks and days (``w``, ``d``) can be added to both, hours
and minutes (``h``, ``min``) to an instant; a day of ``{{ tick }}`` has 24 hours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.time import format_time

_EXPRESSION = re.compile(r"\{\{(.*?)(?:\}\}|\Z)", re.DOTALL)
_WORDS = re.compile(r"\s*(?P<name>[a-z]+)(?P<steps>(?:\s*[+-]\s*[0-9]{1,5}[a-z]+)*)\s*", re.ASCII)
_STEP = re.compile(r"([+-])\s*([0-9]+)([a-z]+)", re.ASCII)
_DAYS = {"w": timedelta(weeks=1), "d": timedelta(days=1)}
_UNITS = {
    "day": _DAYS,
    "tick": {**_DAYS, "h": timedelta(hours=1), "min": timedelta(minutes=1)},
}
_SHOWN = 80
_REMEDY = (
    "Write {{ day }} or {{ tick }}, with a duration where needed: {{ day - 3d }}, {{ tick + 6h }}."
)


@dataclass(frozen=True)
class Occasion:
    """What the expressions of a run speak of.

    Attributes
    ----------
    day
        The day of its data.
    tick
        The instant that started it.
    """

    day: date
    tick: datetime


def fill_expressions(values: Mapping[str, Any], occasion: Occasion) -> dict[str, Any]:
    """Return parameter values with every expression in their texts replaced.

    Raises
    ------
    InvalidInputError
        If an expression names nothing, or its day lies outside of the calendar.
    """

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _EXPRESSION.sub(lambda match: _evaluate(match, occasion), value)
        if isinstance(value, list):
            return [fill(entry) for entry in value]
        if isinstance(value, dict):
            return {name: fill(entry) for name, entry in value.items()}
        return value

    return {name: fill(value) for name, value in values.items()}


def _evaluate(match: re.Match[str], occasion: Occasion) -> str:
    text = match[0]
    words = _WORDS.fullmatch(match[1])
    if not text.endswith("}}") or words is None or words["name"] not in _UNITS:
        raise InvalidInputError(f"{text[:_SHOWN]!r} is no expression.", remedy=_REMEDY)
    moment: date = occasion.day if words["name"] == "day" else occasion.tick
    units = _UNITS[words["name"]]
    try:
        for sign, count, unit in _STEP.findall(words["steps"]):
            moment += int(f"{sign}{count}") * units[unit]
    except KeyError as error:
        raise InvalidInputError(
            f"{text[:_SHOWN]!r} has the unit {error.args[0]!r}.",
            remedy=f"{words['name']!r} takes {', '.join(units)}.",
        ) from None
    except OverflowError:
        raise InvalidInputError(
            f"{text[:_SHOWN]!r} of {moment} is not a day of the calendar.", remedy="Use fewer days."
        ) from None
    return format_time(moment) if isinstance(moment, datetime) else moment.isoformat()
