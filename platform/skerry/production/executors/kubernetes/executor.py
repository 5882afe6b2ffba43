"""Attempts as Jobs of Kubernetes, each found again by its name, from any worker.

The Job is the record: what it may use, how it is asked to end, and how it ended stand in its
annotations. So a worker keeps nothing of its own about an attempt.
"""

import logging
import time
from collections.abc import Mapping, Sequence

from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from skerry.core.digests import short_digest
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.settings import RunLimits
from skerry.core.time import format_time, utc_now
from skerry.production.environments import (
    EnvironmentRefusedError,
    describe_environment,
    digest_environment,
)
from skerry.production.executors.kubernetes.cluster import ChangedError, Cluster
from skerry.production.executors.kubernetes.judging import (
    find_breach,
    find_pod,
    find_start,
    find_words,
    judge,
    read_annotation,
    read_state,
    write_state,
)
from skerry.production.executors.kubernetes.manifest import (
    END,
    EPOCH_LABEL,
    RUN_LABEL,
    STARTED,
    STATE,
    name_job,
    write_job,
    write_secret,
)
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.protocol import AttemptName, AttemptState, Limits, Order, Phase
from skerry.production.run_log import stamp
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFile, RunFolder

_LOG = logging.getLogger("skerry.worker")
_LOOK_S = 1.0
_SAVE_S = 5.0
_PATIENCE_S = 15.0
"""How much longer than an attempt's own patience its node has to tell that it ended."""
_OWN_WORDS = 1_000_000
"""Bytes that Skerry's own lines may take in a log, beyond what its notebook may print."""


class KubernetesExecutor:
    """Runs attempts as Jobs of Kubernetes.

    Parameters
    ----------
    objects
        Where their logs are kept.
    cluster
        The namespace in which they run.
    settings
        What all Jobs have alike.
    """

    def __init__(self, objects: Objects, cluster: Cluster, settings: JobSettings) -> None:
        self._objects = objects
        self._cluster = cluster
        self._settings = settings
        self._looked: dict[AttemptName, tuple[float, AttemptState]] = {}
        self._saved: dict[AttemptName, float] = {}
        self._closed = False

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        """Make a Job and its Secret and let it go, or attach to the Job of that name.

        What a worker that was killed in between has begun is completed.
        """
        job = self._cluster.find_job(name_job(name))
        if job is None:
            self._refuse_to_start(order)
            RunFolder(self._objects, name.run, name.epoch).create()
            job = self._cluster.create_job(write_job(name, order, limits, self._settings))
            job = job or self._cluster.find_job(name_job(name))
        if job is None or read_annotation(job, STARTED) or read_annotation(job, END):
            return
        secret = write_secret(job, order.make_secrets())
        while not self._cluster.create_secret(secret):
            self._cluster.remove_secret(name_job(name))  # of a worker that was killed meanwhile
        self._try_to_change(name, {END: ""}, {STARTED: format_time(utc_now())}, suspend=False)

    def _refuse_to_start(self, order: Order) -> None:
        if self._closed:
            raise UnavailableError("The worker is ending.", remedy="The next one goes on.")
        if describe_environment() != dict(order.environment):
            wanted = short_digest(digest_environment(order.environment))
            raise EnvironmentRefusedError(
                f"The release needs the environment {wanted}, which is not the one of the image "
                f"{self._settings.image}.",
                remedy="Propose and approve the notebook again.",
            )
        order.check()

    def poll(self, name: AttemptName) -> AttemptState:
        """Return an attempt's state; end it if it is beyond its limits or cannot begin.

        While Kubernetes does not answer, the last state that it told still holds.
        """
        looked, state = self._looked.get(name, (0.0, AttemptState(Phase.RUNNING)))
        if time.monotonic() - looked < _LOOK_S:
            return state
        try:
            return self._look(name)
        except UnavailableError as error:
            _LOG.warning("The attempt %s cannot be seen now: %s", name, error)
            return AttemptState(Phase.RUNNING, error.what)

    def _look(self, name: AttemptName) -> AttemptState:
        job = self._cluster.find_job(name_job(name))
        if job is None:
            return AttemptState(Phase.VANISHED, "Nothing of the attempt is left.")
        if (known := read_state(job)) is not None:
            return known
        pods = self._cluster.list_pods(name_job(name))
        state = judge(job, pods, utc_now(), self._settings)
        if not state.is_over:
            breach = find_breach(job, pods, utc_now(), self._settings)
            if breach is not None:
                return self._end(name, breach)
            self._save_log(name, find_pod(pods), at_once=False)
            self._looked[name] = (time.monotonic(), state)
            return state
        return self._settle(name, find_pod(pods), state)

    def wait(self, name: AttemptName, time_s: float) -> None:
        """Wait; look every second."""
        until = time.monotonic() + time_s
        while (rest_s := until - time.monotonic()) > 0:
            time.sleep(min(rest_s, _LOOK_S))
            if rest_s >= _LOOK_S and self.poll(name).is_over:
                return

    def logs(self, name: AttemptName, start: int = 0) -> bytes:
        """Return the log from byte `start`."""
        job = self._cluster.find_job(name_job(name))
        if job is not None and read_state(job) is None:
            self._save_log(name, find_pod(self._cluster.list_pods(name_job(name))))
        folder = RunFolder(self._objects, name.run, name.epoch)
        return folder.read(RunFile.LOG, slice(start, None)) or b""

    def end(self, name: AttemptName, reason: str) -> None:
        """Have the node end an attempt's container, and wait until it says so."""
        job = self._cluster.find_job(name_job(name))
        if job is not None and read_state(job) is None:
            self._end(name, AttemptState(Phase.KILLED, reason))

    def _end(self, name: AttemptName, as_what: AttemptState) -> AttemptState:
        """End an attempt.

        First its Job says so, because from then on no worker lets it go any more. A container at
        work is told the reason, and ended by its deadline, so that its last words stay with the
        pod. What has not begun is taken away.
        """
        self._try_to_change(name, {END: ""}, {END: write_state(as_what)})
        until = time.monotonic() + self._settings.patience_s + _PATIENCE_S
        asked: set[str] = set()
        suspended = False
        while True:
            job = self._cluster.find_job(name_job(name))
            if job is None:
                return AttemptState(Phase.VANISHED, "Nothing of the attempt is left.")
            pods = self._cluster.list_pods(name_job(name))
            state = judge(job, pods, utc_now(), self._settings)
            if state.is_over:
                return self._settle(name, find_pod(pods), state)
            if time.monotonic() > until:
                told = f"{as_what.detail} Its node does not tell whether it has ended."
                return self._settle(name, find_pod(pods), AttemptState(as_what.phase, told))
            self._ask_to_end(pods, as_what.detail, asked)
            if not suspended and not any(map(find_start, pods)):
                self._try_to_change(name, {}, {}, suspend=True)
                suspended = True
            time.sleep(_LOOK_S / 5)

    def _ask_to_end(self, pods: Sequence[Pod], reason: str, asked: set[str]) -> None:
        for pod in pods:
            assert pod.metadata is not None  # noqa: S101  (the server has answered it)
            assert pod.metadata.name is not None  # noqa: S101
            if find_start(pod) is not None and pod.metadata.name not in asked:
                asked.add(pod.metadata.name)
                self._cluster.change_pod(
                    pod.metadata.name, {"metadata": {"annotations": {END: reason}}}
                )
                self._cluster.change_pod(pod.metadata.name, {"spec": {"activeDeadlineSeconds": 1}})

    def forget(self, name: AttemptName) -> None:
        """Remove an attempt's Job with its pods and its Secret."""
        self._cluster.remove_job(name_job(name))

    def list_attempts(self) -> list[AttemptName]:
        """Return the attempts that have a Job."""
        return [name for job in self._cluster.list_jobs() if (name := _read_name(job)) is not None]

    def recover(self) -> None:
        """Do nothing: Jobs need no worker, and what one had begun `start_or_attach` completes."""

    def close(self) -> None:
        """Start no more; the Jobs go on, and the next worker attaches to them."""
        self._closed = True

    def _settle(self, name: AttemptName, pod: Pod | None, state: AttemptState) -> AttemptState:
        """Keep an attempt's log and its end, and remove its secrets."""
        self._looked.pop(name, None)
        self._saved.pop(name, None)
        self._save_log(name, pod, end="" if find_words(pod) else state.detail)
        self._cluster.remove_secret(name_job(name))
        self._try_to_change(name, {}, {STATE: write_state(state)})
        job = self._cluster.find_job(name_job(name))
        return (read_state(job) if job is not None else None) or state

    def _save_log(
        self, name: AttemptName, pod: Pod | None, *, at_once: bool = True, end: str = ""
    ) -> None:
        """Let people see an attempt's log; an object store that is away harms no attempt.

        Parameters
        ----------
        end
            How it ended, where nobody else can say it in the log.
        """
        now = time.monotonic()
        if not at_once and now - self._saved.get(name, -_SAVE_S) < _SAVE_S:
            return
        self._saved[name] = now
        most = RunLimits.from_environment().log + _OWN_WORDS
        printed = None
        if pod is not None and pod.metadata is not None and pod.metadata.name is not None:
            printed = self._cluster.read_log(pod.metadata.name, most)
        folder = RunFolder(self._objects, name.run, name.epoch)
        try:
            kept = folder.read(RunFile.LOG) or b""
            content = printed if printed is not None and len(printed) > len(kept) else kept
            if end:
                _LOG.warning("Attempt %s of the run %s: %s", name.epoch, name.run, end)
                content += stamp(end)
            if content != kept:
                folder.replace_log(content)
        except (OSError, SkerryError) as error:
            _LOG.warning("The log of the attempt %s is not kept now: %s", name, error)

    def _try_to_change(
        self,
        name: AttemptName,
        still: Mapping[str, str],
        annotations: Mapping[str, str],
        *,
        suspend: bool | None = None,
    ) -> None:
        """Set annotations of a Job, unless others are no longer what they were."""
        changes: list[Mapping[str, object]] = [
            {"op": "test", "path": _point_at(key), "value": value} for key, value in still.items()
        ]
        changes += [
            {"op": "add", "path": _point_at(key), "value": value}
            for key, value in annotations.items()
        ]
        if suspend is not None:
            changes.append({"op": "replace", "path": "/spec/suspend", "value": suspend})
        try:
            self._cluster.change_job(name_job(name), changes)
        except ChangedError as error:
            _LOG.info("The Job of the attempt %s stays as it is: %s", name, error)


def _point_at(annotation: str) -> str:
    return f"/metadata/annotations/{annotation.replace('~', '~0').replace('/', '~1')}"


def _read_name(job: Job) -> AttemptName | None:
    labels = (job.metadata and job.metadata.labels) or {}
    epoch = labels.get(EPOCH_LABEL, "")
    return AttemptName(labels.get(RUN_LABEL, ""), int(epoch)) if epoch.isdecimal() else None
