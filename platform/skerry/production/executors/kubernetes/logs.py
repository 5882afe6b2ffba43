"""The logs of attempts that run as Jobs: read from Kubernetes, and kept in the object store."""

import logging
import threading
import time
from dataclasses import dataclass

from lightkube.resources.core_v1 import Pod

from skerry.core.errors import SkerryError
from skerry.core.worker_settings import RunLimits
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.protocol import AttemptName
from skerry.production.run_log import stamp
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFile, RunFolder

_LOG = logging.getLogger("skerry.worker")
_SAVE_S = 5.0
"""How often the log of an attempt at work is read, while there are few attempts."""
_READS_PER_S = 50
_BYTES_PER_S = 20_000_000
"""How many logs of attempts at work are read in a second at most, and how many bytes: Kubernetes
gives each log whole."""
_OWN_WORDS = 1_000_000
"""Bytes that Skerry's own lines may take in a log, beyond what its notebook may print."""


_HEAD = 4096
"""By so many bytes at its beginning a file of a log is found again."""
_EXCUSE = b"unable to retrieve container logs for "
"""What a node answers, as if it were the log, once the log is gone."""
_GAP = (
    "The cluster has put the log into a new file here (containerLogMaxSize). What was printed "
    "since it was read last is missing."
)


@dataclass(frozen=True)
class _Kept:
    """When a log was kept last, how long it was, and how much of it is from earlier files."""

    time: float
    size: int
    earlier: int | None


class Logs:
    """The logs of the attempts that one worker watches.

    Parameters
    ----------
    objects
        Where they are kept.
    cluster
        Where they are read.
    """

    def __init__(self, objects: Objects, cluster: Cluster) -> None:
        self._objects = objects
        self._cluster = cluster
        self._turn = threading.Lock()
        self._kept: dict[AttemptName, _Kept] = {}
        self._bytes = 0

    def prepare(self, name: AttemptName) -> None:
        """Make an attempt's folder ready."""
        RunFolder(self._objects, name.run, name.epoch).create()

    def read(self, name: AttemptName, start: int) -> bytes:
        """Return what is kept of a log, from byte `start`."""
        folder = RunFolder(self._objects, name.run, name.epoch)
        return folder.read(RunFile.LOG, slice(start, None)) or b""

    def keep_now_and_then(self, name: AttemptName, pod: Pod | None) -> None:
        """Keep the log of an attempt at work, unless that was done a short while ago."""
        with self._turn:
            pause_s = choose_pause(len(self._kept), self._bytes)
            kept = self._kept.get(name)
        if kept is None or time.monotonic() - kept.time >= pause_s:
            self.keep(name, pod)

    def keep(self, name: AttemptName, pod: Pod | None, end: str = "") -> None:
        """Let people see an attempt's log; an object store that is away harms no attempt.

        Parameters
        ----------
        end
            How it ended, where nobody else can say it in the log.
        """
        began = time.monotonic()
        most = RunLimits.from_environment().log + _OWN_WORDS
        printed = None
        if pod is not None and pod.metadata is not None and pod.metadata.name is not None:
            printed = self._cluster.read_log(pod.metadata.name, most)
        folder = RunFolder(self._objects, name.run, name.epoch)
        size = len(printed or b"")
        with self._turn:
            before = self._kept.get(name)
        earlier = before.earlier if before is not None else None
        try:
            kept = folder.read(RunFile.LOG) or b""
            content, joined = join(kept, earlier, printed)
            if end:
                _LOG.warning("Attempt %s of the run %s: %s", name.epoch, name.run, end)
                content += stamp(end)
            if content != kept:
                folder.replace_log(content)
            size, earlier = len(content), joined
        except (OSError, SkerryError) as error:
            _LOG.warning("The log of the attempt %s is not kept now: %s", name, error)
        self._note(name, _Kept(began, size, earlier))

    def forget(self, name: AttemptName) -> None:
        """Forget when a log was kept: its attempt is over."""
        self._note(name, None)

    def _note(self, name: AttemptName, kept: _Kept | None) -> None:
        with self._turn:
            before = self._kept.pop(name, None)
            self._bytes += (kept.size if kept else 0) - (before.size if before else 0)
            if kept is not None:
                self._kept[name] = kept


def join(kept: bytes, earlier: int | None, printed: bytes | None) -> tuple[bytes, int]:
    """Return a log as far as it is known, and how many bytes of it are from earlier files.

    A node puts a long log into a new file, and Kubernetes shows the newest file alone.

    Parameters
    ----------
    kept
        What is kept of the log.
    earlier
        How many bytes of that are from files before the newest that was seen; None if another
        worker has kept it.
    printed
        The newest file; None if nobody can tell. It is empty for a moment, and stays so where the
        attempt has nothing more to say: the end of the file before may be missing then.
    """
    if printed is None or printed.startswith(_EXCUSE):
        return kept, earlier or 0
    if not printed:
        if len(kept) > (earlier or 0):
            kept += stamp(_GAP)
        return kept, len(kept)
    if earlier is None:
        earlier = 0 if _agree(kept, printed) else max(kept.rfind(printed[:_HEAD]), 0)
    known = kept[earlier:]
    if _agree(known, printed):
        return kept[:earlier] + max(known, printed, key=len), earlier
    kept += stamp(_GAP)
    return kept + printed, len(kept)


def _agree(one: bytes, other: bytes) -> bool:
    """Return whether one of two texts begins with the other."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def choose_pause(count: int, size: int) -> float:
    """Return how many seconds a log is left alone, after it was read.

    Parameters
    ----------
    count
        How many attempts are at work.
    size
        How many bytes their logs have together.
    """
    return max(_SAVE_S, count / _READS_PER_S, size / _BYTES_PER_S)
