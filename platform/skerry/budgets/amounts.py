"""Sizes, amounts and months: whole numbers, so that sums are exact whatever their order.

An amount is a size times seconds. Times are whole seconds in UTC, and so are the ends of months.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from skerry.core.errors import InvalidInputError
from skerry.core.wording import describe_size, write_number

_MILLI = 1000
_MIB = 1 << 20
_MIB_OF_GIB = 1024
_HOUR_S = 3600
_MINUTE_S = 60
_MONTHS = 12


@dataclass(frozen=True)
class Amount:
    """What was used, or may be used.

    Attributes
    ----------
    core_s
        Thousandths of a processor, times seconds.
    memory_s
        MiB of memory, times seconds.
    """

    core_s: int = 0
    memory_s: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.core_s + other.core_s, self.memory_s + other.memory_s)

    @property
    def core_hours(self) -> float:
        """Processors times hours."""
        return round(self.core_s / (_MILLI * _HOUR_S), 3)

    @property
    def memory_hours(self) -> float:
        """GiB of memory times hours."""
        return round(self.memory_s / (_MIB_OF_GIB * _HOUR_S), 3)


@dataclass(frozen=True)
class Size:
    """What something takes while it lives.

    Attributes
    ----------
    cores_milli
        Thousandths of a processor.
    memory_mib
        MiB of memory.
    """

    cores_milli: int = 0
    memory_mib: int = 0

    @property
    def cores(self) -> float:
        """Its processors."""
        return self.cores_milli / _MILLI

    @property
    def memory_gib(self) -> float:
        """Its GiB of memory."""
        return self.memory_mib / _MIB_OF_GIB

    @classmethod
    def of(cls, cores: float, memory: int) -> Self:
        """Return the size of processors and bytes."""
        return cls(round(cores * _MILLI), -(-memory // _MIB))

    def __add__(self, other: "Size") -> "Size":
        return Size(self.cores_milli + other.cores_milli, self.memory_mib + other.memory_mib)

    def __mul__(self, count: int) -> "Size":
        return Size(self.cores_milli * count, self.memory_mib * count)

    def holds(self, other: "Size") -> bool:
        """Return whether another size fits into it."""
        return self.cores_milli >= other.cores_milli and self.memory_mib >= other.memory_mib

    def subtract(self, other: "Size") -> "Size":
        """Return what is left of it beside another size; nothing less than none."""
        return Size(
            max(0, self.cores_milli - other.cores_milli),
            max(0, self.memory_mib - other.memory_mib),
        )

    def last(self, seconds: int) -> Amount:
        """Return what it uses in some seconds."""
        return Amount(self.cores_milli * seconds, self.memory_mib * seconds)

    def describe(self) -> str:
        """Return it in words: ``2 processors and 4 GiB``."""
        return describe_size(self.cores, self.memory_gib)


def describe_seconds(seconds: int) -> str:
    """Return a time in words: ``an hour``, ``2.5 hours``, ``20 minutes``, ``30 seconds``."""
    if seconds == _HOUR_S:
        return "an hour"
    if seconds > _HOUR_S:
        return f"{write_number(round(seconds / _HOUR_S, 2))} hours"
    if seconds < _MINUTE_S:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = write_number(round(seconds / _MINUTE_S, 1))
    return f"{minutes} minute{'' if minutes == '1' else 's'}"


def count_core_seconds(core_hours: int) -> int:
    """Return processor hours in the unit of `Amount.core_s`."""
    return core_hours * _HOUR_S * _MILLI


def count_memory_seconds(memory_hours: int) -> int:
    """Return GiB hours in the unit of `Amount.memory_s`."""
    return memory_hours * _HOUR_S * _MIB_OF_GIB


def name_month(moment: datetime) -> str:
    """Return the month of an instant in UTC, as ``2026-11``."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def read_month(text: str) -> datetime:
    """Return the first instant of a month.

    Raises
    ------
    InvalidInputError
        If the text is no month.
    """
    try:
        if len(text) == len("2026-11"):
            return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise InvalidInputError(f"{text[:40]!r} is not a month.", remedy="Write it as 2026-11.")


def end_month(moment: datetime) -> datetime:
    """Return the first instant after the month of an instant, both in UTC."""
    in_utc = moment.astimezone(UTC)
    years, month = divmod(in_utc.month, _MONTHS)
    return datetime(in_utc.year + years, month + 1, 1, tzinfo=UTC)


def split_months(begun: datetime, ended: datetime) -> Iterator[tuple[str, int]]:
    """Yield the months of a time, each with how many of its seconds lie in it.

    Parameters
    ----------
    begun, ended
        Whole seconds in UTC. A time that ends before it begins has no seconds.
    """
    while begun < ended:
        until = min(ended, end_month(begun))
        yield name_month(begun), int((until - begun).total_seconds())
        begun = until
