"""Where the local executor keeps what belongs to an attempt, in the data folder's ``run``."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from skerry.production.executors.protocol import AttemptName, Phase
from skerry.storage.pid_files import PidFile
from skerry.storage.writing import write_aside

_WAITING = "waiting."


class Record(PidFile):
    """What is known about an attempt that was started on this machine.

    Attributes
    ----------
    began
        When it became this attempt, seconds since the epoch: a process may have waited before.
        None in records of older versions: when the process started.
    waited_in
        The folder of a process that waited before, and what it started there; it is their mark.
    time_s
        Seconds from then when its time is over.
    memory
        Bytes that its processes may take; None for no limit.
    phase, detail, message
        Its state, once it has ended.
    """

    time_s: float
    began: float | None = None
    waited_in: Path | None = None
    memory: int | None = None
    phase: Phase = Phase.RUNNING
    detail: str = ""
    message: str | None = None


@dataclass(frozen=True)
class AttemptPlaces:
    """Files and folders of one attempt.

    Attributes
    ----------
    state
        The data folder's ``run``.
    name
        The attempt.
    """

    state: Path
    name: AttemptName

    @property
    def record(self) -> Path:
        """The file that says which process it is, and how it ended."""
        return self.state / "pids" / f"attempt-{self.name}.json"

    @property
    def work(self) -> Path:
        """Its working folder, removed when it has ended."""
        return self.state / "attempts" / str(self.name)

    @property
    def temporary(self) -> Path:
        """The folder for its temporary files, removed when it has ended.

        It is not inside the working folder: sockets of `multiprocessing` stand in it, and a
        socket's path has at most 107 characters.
        """
        return self.state / "tmp" / f"{self.name.run[-8:]}-{self.name.epoch}"

    @property
    def last_words(self) -> Path:
        """The file in which it leaves its last words."""
        return self.work / "last_words.json"

    @property
    def log(self) -> Path:
        """The place of its log while it works, where the object store is not on this machine."""
        return self.work / "attempt.log"

    @property
    def reason(self) -> Path:
        """The file for the reason to end."""
        return self.work / "reason.txt"

    def create(self) -> None:
        """Create its folders."""
        for place in (self.work, self.temporary):
            place.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove its folders; the record stays."""
        for place in (self.temporary, *self.list_marks()):
            shutil.rmtree(place, ignore_errors=True)

    def list_marks(self) -> list[Path]:
        """Return the folders that name its processes: each has one of them in its environment."""
        record = self.read()
        waited_in = None if record is None else record.waited_in
        return [self.work, *([waited_in] if waited_in else [])]

    def read(self) -> Record | None:
        """Return the record, None if there is none."""
        try:
            return Record.model_validate_json(self.record.read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, record: Record) -> None:
        """Write the record."""
        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_aside(self.record, record.model_dump_json(), private=True, outlasts_power=False)

    def is_alive(self) -> bool:
        """Return whether its process is still alive."""
        process = PidFile.read(self.record)
        return process is not None and process.find() is not None


def list_waiting(state: Path) -> list[Path]:
    """Return the folders of processes that wait for an attempt, or waited."""
    return list((state / "attempts").glob(f"{_WAITING}*"))


def name_waiting(state: Path) -> Path:
    """Return a new folder for a process that will wait for an attempt."""
    return state / "attempts" / f"{_WAITING}{secrets.token_hex(4)}"


def list_places(state: Path) -> Iterator[AttemptPlaces]:
    """List the places of all attempts of which anything is left."""
    texts = {path.name for path in (state / "attempts").glob("*-*")}
    texts |= {
        path.stem.removeprefix("attempt-") for path in (state / "pids").glob("attempt-*-*.json")
    }
    for text in sorted(texts):
        name = AttemptName.parse(text)
        if name is not None:
            yield AttemptPlaces(state, name)
