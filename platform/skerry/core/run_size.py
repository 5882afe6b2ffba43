"""What an attempt of a run takes, as budgets count it: from the limits that it runs under."""

import os
import re
from typing import Self

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import InvalidInputError

_CPU = re.compile(r"(\d{1,4}(?:\.\d{1,3})?|\d{1,7}m)")
_MEGABYTE = 1_000_000


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
        cpu = os.environ.get("SKERRY_JOBS_CPU") or "1"
        memory = os.environ.get("SKERRY_RUN_MEMORY_MB") or "0"
        if not _CPU.fullmatch(cpu) or not memory.isdecimal():
            raise InvalidInputError(
                f"SKERRY_JOBS_CPU is {cpu[:40]!r}, SKERRY_RUN_MEMORY_MB {memory[:40]!r}.",
                remedy="Write processors such as 2, 0.5 or 500m, and whole megabytes.",
            )
        cores = int(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
        return cls(cores=cores, memory=int(memory) * _MEGABYTE)
