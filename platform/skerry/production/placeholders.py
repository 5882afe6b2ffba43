"""Words in a job's parameters that each run replaces by its own day or instant.

``{data_day}`` is the day of the run's data, as 2026-05-01; ``{data_day-1}`` is the day
before. ``{tick}`` is the instant that started the run, as 2026-05-01T05:30:00Z.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.time import format_time

_WORD = re.compile(r"\{(?:data_day(?P<days>[+-]\d{1,4})?|(?P<tick>tick))\}")


def fill_placeholders(
    values: Mapping[str, Any], *, data_day: date, tick: datetime
) -> dict[str, Any]:
    """Return parameter values with every placeholder in their texts replaced.

    Raises
    ------
    InvalidInputError
        If a day lies outside of the calendar.
    """

    def replace(match: re.Match[str]) -> str:
        if match["tick"]:
            return format_time(tick)
        try:
            return (data_day + timedelta(days=int(match["days"] or 0))).isoformat()
        except OverflowError:
            raise InvalidInputError(
                f"{match[0]} of {data_day} is not a day of the calendar.", remedy="Use fewer days."
            ) from None

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _WORD.sub(replace, value)
        if isinstance(value, list):
            return [fill(entry) for entry in value]
        if isinstance(value, dict):
            return {name: fill(entry) for name, entry in value.items()}
        return value

    return {name: fill(value) for name, value in values.items()}
