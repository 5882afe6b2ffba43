"""The layout of the data folder. Other modules take these paths from here."""

from dataclasses import dataclass
from pathlib import Path

from skerry.core.errors import InvalidInputError


@dataclass(frozen=True)
class DataFolder:
    """Paths inside one platform's data folder.

    Attributes
    ----------
    root
        The folder itself, mode 0700.
    """

    root: Path

    @property
    def lock(self) -> Path:
        """The file whose exclusive lock `skerry up` holds; it names the holder's pid."""
        return self.root / "lock"

    @property
    def owner(self) -> Path:
        """The owner's login for the CLI: ``{url, user, token}`` as JSON, mode 0600."""
        return self.root / "owner.json"

    @property
    def password(self) -> Path:
        """The one account's generated password, mode 0600."""
        return self.root / "password"

    @property
    def state(self) -> Path:
        """Databases and secrets, mode 0700."""
        return self.root / "state"

    @property
    def database(self) -> Path:
        """Skerry's own database: catalogue and production."""
        return self.state / "skerry.sqlite"

    @property
    def metrics_token(self) -> Path:
        """The token with which Prometheus reads the measurements of all parts, mode 0600."""
        return self.state / "metrics-token"

    @property
    def workflows(self) -> Path:
        """DBOS's system database."""
        return self.state / "workflows.sqlite"

    @property
    def run(self) -> Path:
        """Pid files, ports and sockets of the running platform."""
        return self.root / "run"

    @property
    def worker_beat(self) -> Path:
        """The file that the worker touches while it works; see `skerry.core.beats`."""
        return self.run / "worker.ready"

    @property
    def worker_bell(self) -> Path:
        """The named pipe by which the worker hears of new runs; see `skerry.storage.bell`."""
        return self.run / "worker.bell"

    @property
    def pids(self) -> Path:
        """One pid file for each part or attempt."""
        return self.run / "pids"

    @property
    def logs(self) -> Path:
        """One log file for each part: ``<part>.log``."""
        return self.root / "logs"

    @property
    def objects(self) -> Path:
        """The object store, unless a setting names another: see `skerry.storage.object_places`."""
        return self.root / "objects"

    @property
    def attempts(self) -> Path:
        """Scratch folders of running attempts: ``<run>-<epoch>``."""
        return self.run / "attempts"

    @property
    def environments(self) -> Path:
        """Built environments, one folder for each environment digest."""
        return self.root / "environments"

    @property
    def users(self) -> Path:
        """Home folders of hub users."""
        return self.root / "users"

    @property
    def clusters(self) -> Path:
        """Working folders of Dask Gateway's clusters."""
        return self.root / "clusters"

    def create(self) -> None:
        """Create the missing folders, and let only the owner open each folder, old folders too.

        Raises
        ------
        InvalidInputError
            If this user cannot make them there, or they are another user's.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (
                self.state, self.run, self.logs, self.objects,
                self.environments, self.users, self.clusters,
            ):  # fmt: skip
                folder.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.root, self.state, self.run, self.logs):
                folder.chmod(0o700)
        except OSError as error:
            raise InvalidInputError(
                f"The data folder {self.root} cannot be made: {error.strerror} ({error.filename}).",
                remedy="Name a folder that this user may write with --data or SKERRY_DATA.",
            ) from None
