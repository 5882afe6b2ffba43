"""The record of a running platform, ``run/platform.json``, without secrets."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from skerry.cli.supervisor.ports import InternalPorts
from skerry.storage.layout import DataFolder
from skerry.storage.pid_files import same_process
from skerry.storage.writing import write_aside


class PartRecord(BaseModel):
    """The health check of one part.

    Attributes
    ----------
    name
        ``api``, ``maps``, ...
    url
        Its public address; empty for the worker.
    health
        Public address that answers 200 when it is ready, or
    beat
        the file that it touches every 2 s while it works.
    """

    name: str
    url: str
    health: str | None = None
    beat: Path | None = None


class GatewayRecord(BaseModel):
    """Where clients of Dask Gateway connect."""

    address: str
    proxy_address: str


class PlatformRecord(BaseModel):
    """A running platform.

    Attributes
    ----------
    pid, created
        The supervisor's process id and start time (seconds since the epoch).
    ready
        Whether the start was completed, with the owner's token written.
    ports
        Where the parts listen, for processes that join them.
    database
        The database, without a password.
    """

    pid: int
    created: float
    url: str
    user: str
    ready: bool = False
    gateway: GatewayRecord
    parts: list[PartRecord]
    ports: InternalPorts | None = None
    database: str = ""

    @staticmethod
    def path(folder: DataFolder) -> Path:
        """Return the record's path."""
        return folder.run / "platform.json"

    @classmethod
    def read(cls, folder: DataFolder) -> Self | None:
        """Return the record, or None if it cannot be read."""
        try:
            return cls.model_validate_json(cls.path(folder).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, folder: DataFolder) -> None:
        """Write the record."""
        write_aside(self.path(folder), self.model_dump_json(indent=1), private=True)

    def is_alive(self) -> bool:
        """Return whether the supervisor that wrote this still lives (not another with its pid)."""
        return same_process(self.pid, self.created) is not None
