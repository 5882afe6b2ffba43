"""The last words of an attempt: its exit code and a message, in a file that outlives it.

The program in the attempt writes them, and its executor reads them, also when the worker that
started the attempt was killed meanwhile and nobody else knows the exit code.
"""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skerry.core.errors import ForbiddenError
from skerry.storage.beneath import opened_beneath
from skerry.storage.writing import write_aside

FILE_VARIABLE = "SKERRY_LAST_WORDS"
"""Environment variable that names the file."""

REASON_VARIABLE = "SKERRY_END_REASON"
"""Environment variable that names the file with the reason, when an attempt is asked to end."""

_LONGEST = 1_000_000


class LastWords(BaseModel):
    """What a program says at its end.

    Attributes
    ----------
    exit_code
        With which it is about to end.
    message
        For the worker.
    """

    model_config = ConfigDict(extra="ignore")

    exit_code: int
    message: str = ""


def leave_words(exit_code: int, message: str) -> None:
    """Write the last words of this process, the last thing that it does.

    A file that is there already is written in place: a container gets it from outside, and nothing
    can be put beside it.
    """
    named = os.environ.get(FILE_VARIABLE)
    if not named:
        return
    words = LastWords(exit_code=exit_code, message=message).model_dump_json()
    if Path(named).exists():
        Path(named).write_text(words)
    else:
        write_aside(Path(named), words, outlasts_power=False)


def read_words(path: Path) -> LastWords | None:
    """Return last words, None if there are none; no link is followed."""
    try:
        with opened_beneath(path.parent, path.name) as file:
            return parse_words(os.read(file, _LONGEST))
    except (OSError, ForbiddenError):
        return None


def parse_words(text: str | bytes) -> LastWords | None:
    """Return the last words that a text is, None if it is something else."""
    try:
        return LastWords.model_validate_json(text)
    except ValueError:
        return None


def read_reason() -> str:
    """Return why this process is asked to end."""
    with suppress(KeyError, OSError):
        if reason := Path(os.environ[REASON_VARIABLE]).read_text():
            return reason
    return "Ended from outside."
