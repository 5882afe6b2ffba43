"""What Kubernetes tells of all attempts of a namespace, by one watch for Jobs and one for pods.

A watch may break, or lag behind. So it only tells when to look: whether an attempt has ended is
judged by what Kubernetes answers then. Every minute, and after each break, all is listed anew: an
event that was missed is found again.
"""

import logging
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from skerry.core.errors import SkerryError
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.manifest import name_job_of

_LOG = logging.getLogger("skerry.worker")
_WATCH_S = 60
"""After this time a watch ends and all is listed anew."""
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True)
class Sight:
    """An attempt as it was seen last.

    Attributes
    ----------
    job, pods
        Its Job, and the pods of it that are still there.
    number
        Grows with each change.
    """

    job: Job
    pods: tuple[Pod, ...]
    number: int


class View:
    """All Jobs of attempts in a namespace and their pods, as far as Kubernetes has told.

    Parameters
    ----------
    cluster
        The namespace.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._turn = threading.Lock()
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._waiting: dict[str, list[threading.Event]] = {}
        self._forgotten: set[str] = set()
        self._jobs = _Follower(cluster, Job, self._note)
        self._pods = _Follower(cluster, Pod, self._note)

    def start(self) -> None:
        """Begin to watch."""
        for follower in (self._jobs, self._pods):
            follower.start()

    def is_current(self) -> bool:
        """Return whether it is known what there is, and both watches work."""
        return self._jobs.is_current and self._pods.is_current

    def find(self, job: str) -> Sight | None:
        """Return an attempt as it was seen last, None where nothing was seen."""
        with self._turn:
            found = self._jobs.things.get(job, {})
            kept = [item for uid, item in found.items() if uid not in self._forgotten]
            pods = tuple(self._pods.things.get(job, {}).values())
            return Sight(kept[-1], pods, self._numbers[job]) if kept else None

    def list_jobs(self) -> list[Job]:
        """Return all Jobs that were seen."""
        with self._turn:
            return [
                job for found in self._jobs.things.values() for uid, job in found.items()
                if uid not in self._forgotten
            ]  # fmt: skip

    def add(self, job: Job) -> None:
        """Take in a Job that has just been made; its own event may come later."""
        assert job.metadata is not None  # noqa: S101  (the server has answered it)
        assert job.metadata.name is not None  # noqa: S101
        with self._turn:
            self._jobs.things[job.metadata.name].setdefault(job.metadata.uid or "", job)

    def forget(self, job: str) -> None:
        """Show a Job no more that has just been removed; its own event may come later."""
        with self._turn:
            self._forgotten |= self._jobs.things.get(job, {}).keys()
            self._numbers.pop(job, None)

    def wait(self, job: str, time_s: float) -> None:
        """Wait until something has changed about an attempt, at most `time_s` seconds."""
        changed = threading.Event()
        with self._turn:
            self._waiting.setdefault(job, []).append(changed)
        try:
            changed.wait(time_s)
        finally:
            with self._turn:
                self._waiting[job].remove(changed)
                if not self._waiting[job]:
                    del self._waiting[job]

    def close(self) -> None:
        """Watch no more."""
        for follower in (self._jobs, self._pods):
            follower.close()

    def _note(self, change: Callable[[], set[str]]) -> None:
        """Make a change while nobody looks, and wake those who wait for the Jobs that it names."""
        with self._turn:
            for job in change():
                self._numbers[job] += 1
                for event in self._waiting.get(job, ()):
                    event.set()
                if job not in self._jobs.things and job not in self._pods.things:
                    del self._numbers[job]
            if len(self._forgotten) > len(self._jobs.uids):
                self._forgotten &= self._jobs.uids


class _Follower[Kind: (Job, Pod)]:
    """Follows all objects of one kind that belong to attempts.

    Attributes
    ----------
    things
        Name of a Job to the objects that belong to it, by their identifiers.
    is_current
        Whether what there is has been listed, and changes are told.
    """

    def __init__(
        self, cluster: Cluster, kind: type[Kind], note: Callable[[Callable[[], set[str]]], None]
    ) -> None:
        self._cluster = cluster
        self._kind: type[Kind] = kind
        self._note = note
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)
        self.things: defaultdict[str, dict[str, Kind]] = defaultdict(dict)
        self.is_current = False

    @property
    def uids(self) -> set[str]:
        """The identifiers of all objects."""
        return {uid for found in self.things.values() for uid in found}

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._cluster.end_watch(self._kind)

    def _follow(self) -> None:
        pause_s = _PAUSE_S
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._watch_once()
            except SkerryError as error:
                self._lose_sight(str(error))
            except Exception:  # noqa: BLE001 - whatever it is, ends of attempts must be seen
                self._lose_sight(traceback.format_exc())
            if time.monotonic() - began >= _PAUSE_S:
                pause_s = _PAUSE_S
                continue
            self._closed.wait(pause_s)  # what ends at once is not asked again at once
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _lose_sight(self, why: str) -> None:
        """From now on attempts are asked about one by one, until a watch works again."""
        if self.is_current and not self._closed.is_set():
            _LOG.warning("The %ss of attempts are not watched now: %s", self._kind.__name__, why)
        self.is_current = False

    def _watch_once(self) -> None:
        """List all, then take in what changes, until the watch ends."""
        items, version = self._cluster.list_all(self._kind)
        self._note(partial(self._replace, items))
        self.is_current = True
        for event, item in self._cluster.watch(self._kind, version, _WATCH_S):
            self._note(partial(self._take, event, item))

    def _replace(self, items: list[Kind]) -> set[str]:
        before = {(job, uid) for job, found in self.things.items() for uid in found}
        self.things.clear()
        changed = {job for item in items for job in self._take("ADDED", item)}
        after = {(job, uid) for job, found in self.things.items() for uid in found}
        return changed | {job for job, _ in before - after}

    def _take(self, event: str, item: Kind) -> set[str]:
        job, uid = name_job_of(item), (item.metadata and item.metadata.uid) or ""
        if event == "DELETED":
            self.things[job].pop(uid, None)
            if not self.things[job]:
                del self.things[job]
        else:
            self.things[job][uid] = item
        return {job}
