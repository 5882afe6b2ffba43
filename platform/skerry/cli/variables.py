"""The variables that people set for a platform: what no part could read is refused at once."""

import os

from skerry.core.disk import read_floor
from skerry.core.errors import InvalidInputError
from skerry.core.logs import check_format
from skerry.core.oidc.trusted_issuers import TrustedIssuers
from skerry.core.settings import DEFAULT_PORT, read_grants_way, read_largest_body
from skerry.core.worker_settings import RunLimits, UpkeepSettings, WorkerSettings
from skerry.production.executors.choosing import check_executor

PORT_VARIABLE = "SKERRY_PORT"


def check_variables() -> None:
    """Refuse the first variable with a value that a part could not read.

    Raises
    ------
    InvalidInputError
        It names the variable, its value, and what it may be.
    """
    for read in (
        read_port, read_floor, check_format, read_grants_way, read_largest_body,
        RunLimits.from_environment, UpkeepSettings.from_environment,
        _check_executor, TrustedIssuers.from_environment,
    ):  # fmt: skip
        read()


def _check_executor() -> None:
    check_executor(WorkerSettings.from_environment())


def read_port() -> int:
    """Return the public port that `SKERRY_PORT` names, or the default.

    Raises
    ------
    InvalidInputError
        If it is not a number.
    """
    text = os.environ.get(PORT_VARIABLE) or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInputError(
            f"{PORT_VARIABLE} is {text[:40]!r}, which is not a port.",
            remedy="Use a number from 1024 to 65535.",
        )
    return int(text)
