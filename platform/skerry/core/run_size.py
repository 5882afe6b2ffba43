"""What an attempt of a run takes, as budgets count it: from the limits that it runs under."""

import os
import re
from typing import Self

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError
from skerry.core.settings import read_number

_CPU = re.compile(r"(?=.*[1-9])(\d{1,4}(\.\d{1,3})?|\d{1,7}m)")


def read_cpu() -> str:
    """Return the processors of an attempt, in words of Kubernetes: `SKERRY_JOBS_CPU`, else ``1``.

    Raises
    ------
    InvalidInputError
        If it is no number of processors above zero.
    """
    text = os.environ.get("SKERRY_JOBS_CPU") or "1"
    if not _CPU.fullmatch(text):
        raise InvalidInputError(
            f"SKERRY_JOBS_CPU is {text[:120]!r}.", remedy="Write processors such as 2, 0.5 or 500m."
        )
    return text


def read_memory() -> int | None:
    """Return the bytes that an attempt may take: `SKERRY_RUN_MEMORY_MB`; None for no limit.

    Raises
    ------
    InvalidInputError
        If it is no whole number of megabytes above zero.
    """
    number = read_number("SKERRY_RUN_MEMORY_MB", 100_000_000, "whole megabytes")
    return number * 1_000_000 if number else None


class RunSize(BaseModel):
    """Processors and memory of an attempt.

    Attributes
    ----------
    cores
        Processors. `SKERRY_JOBS_CPU`, 1 by default.
    memory
        Bytes. `SKERRY_RUN_MEMORY_MB`; 0 without a limit, because nobody knows then.
    """

    model_config = ConfigDict(frozen=True)

    cores: float = 1.0
    memory: int = 0

    @classmethod
    def from_environment(cls) -> Self:
        """Read the two variables.

        Raises
        ------
        InvalidInputError
            If a value cannot be read.
        """
        cpu = read_cpu()
        cores = int(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
        return cls(cores=cores, memory=read_memory() or 0)
