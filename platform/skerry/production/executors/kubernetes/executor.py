"""Attempts as Jobs of Kubernetes, each found again by its name, from any worker.

The Job is the record: what it may use, how it is asked to end, and how it ended stand in its
annotations. So a worker keeps nothing of its own about an attempt.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from skerry.core.digests import short_digest
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.time import format_time, utc_now
from skerry.production.environments import EnvironmentRefusedError, digest_environment
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
from skerry.production.executors.kubernetes.logs import Logs
from skerry.production.executors.kubernetes.manifest import (
    END,
    EPOCH_LABEL,
    RUN_LABEL,
    STARTED,
    STATE,
    find_image,
    name_job,
    write_job,
    write_secret,
)
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.kubernetes.watching import Sight, View
from skerry.production.executors.protocol import AttemptName, AttemptState, Limits, Order, Phase
from skerry.storage.objects import Objects

_LOG = logging.getLogger("skerry.worker")
_LOOK_S = 1.0
_PATIENCE_S = 15.0
"""How much longer than an attempt's own patience its node has to tell that it ended."""


@dataclass(frozen=True)
class _Look:
    """What was seen last of an attempt that goes on: up to which change, and when."""

    number: int | None
    time: float
    state: AttemptState


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
        self._cluster = cluster
        self._settings = settings
        self._view = View(cluster)
        self._logs = Logs(objects, cluster)
        self._looks: dict[AttemptName, _Look] = {}
        self._ended: dict[AttemptName, AttemptState] = {}
        self._has_rights = False
        self._closed = False
        self.longest_wait_s = settings.room_s + settings.start_s

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        """Make a Job and its Secret and let it go, or attach to the Job of that name.

        What a worker that was killed in between has begun is completed.
        """
        job = self._cluster.find_job(name_job(name))
        if job is None:
            self._refuse_to_start(order)
            self._logs.prepare(name)
            job = self._cluster.create_job(write_job(name, order, limits, self._settings))
            job = job or self._cluster.find_job(name_job(name))
            if job is not None:
                self._view.add(job)
        if job is None or read_annotation(job, STARTED) or read_annotation(job, END):
            return
        secret = write_secret(job, order.make_secrets())
        while not self._cluster.create_secret(secret):
            self._cluster.remove_secret(name_job(name))  # of a worker that was killed meanwhile
        self._try_to_change(name, {END: ""}, {STARTED: format_time(utc_now())}, suspend=False)

    def _refuse_to_start(self, order: Order) -> None:
        if self._closed:
            raise UnavailableError("The worker is ending.", remedy="The next one goes on.")
        if find_image(order.environment, self._settings) is None:
            wanted = digest_environment(order.environment)
            raise EnvironmentRefusedError(
                f"The release needs the environment {short_digest(wanted)}, which is not the one "
                f"of the image {self._settings.image}.",
                remedy="Propose and approve the notebook again, or name the image that has it in "
                f"SKERRY_JOBS_IMAGES, under {wanted}.",
            )
        order.check()

    def poll(self, name: AttemptName) -> AttemptState:
        """Return an attempt's state; end it if it is beyond its limits or cannot begin.

        While Kubernetes does not answer, the attempt counts as it was seen last, or as running.
        """
        if (ended := self._ended.get(name)) is not None:
            return ended
        sight = self._view.find(name_job(name)) if self._view.is_current() else None
        number = sight.number if sight is not None else None
        last = self._looks.get(name)
        now = time.monotonic()
        if last is not None and last.number == number and now - last.time < _LOOK_S:
            return last.state
        try:
            state = self._look_from_afar(name, sight) or self._look(name)
        except UnavailableError as error:
            _LOG.warning("The attempt %s cannot be seen now: %s", name, error)
            phase = last.state.phase if last is not None else Phase.RUNNING
            state = AttemptState(phase, error.what)
        if not state.is_over:
            self._looks[name] = _Look(number, now, state)
        return state

    def _look_from_afar(self, name: AttemptName, sight: Sight | None) -> AttemptState | None:
        """Return the state of an attempt that goes on, as far as was seen; None to look closer."""
        if sight is None or read_state(sight.job) is not None:
            return None
        now = utc_now()
        state = judge(sight.job, sight.pods, now, self._settings)
        if state.is_over or find_breach(sight.job, sight.pods, now, self._settings) is not None:
            return None
        self._keep_log(name, sight.pods)
        return state

    def _look(self, name: AttemptName) -> AttemptState:
        """Ask Kubernetes about an attempt: only by what it answers now is an end judged."""
        job = self._cluster.find_job(name_job(name))
        if job is None:
            return AttemptState(Phase.VANISHED, "Nothing of the attempt is left.")
        if (known := read_state(job)) is not None:
            self._ended[name] = known
            return known
        pods = self._cluster.list_pods(name_job(name))
        state = judge(job, pods, utc_now(), self._settings)
        if state.is_over:
            return self._settle(name, find_pod(pods), state)
        breach = find_breach(job, pods, utc_now(), self._settings)
        if breach is not None:
            return self._end(name, breach)
        self._keep_log(name, pods)
        return state

    def _keep_log(self, name: AttemptName, pods: Sequence[Pod]) -> None:
        pod = find_pod(pods)
        if find_start(pod) is not None:
            self._logs.keep_now_and_then(name, pod)

    def wait(self, name: AttemptName, time_s: float) -> None:
        """Wait until Kubernetes has told an end; look every second at least."""
        until = time.monotonic() + time_s
        while (rest_s := until - time.monotonic()) > 0:
            self._view.wait(name_job(name), min(rest_s, _LOOK_S))
            if self.poll(name).is_over:
                return

    def logs(self, name: AttemptName, start: int = 0) -> bytes:
        """Return the log from byte `start`."""
        job = self._cluster.find_job(name_job(name))
        if job is not None and read_state(job) is None:
            self._logs.keep(name, find_pod(self._cluster.list_pods(name_job(name))))
        return self._logs.read(name, start)

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
            self._view.wait(name_job(name), _LOOK_S / 5)

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
        self._view.forget(name_job(name))
        self._ended.pop(name, None)
        self._looks.pop(name, None)
        self._logs.forget(name)

    def list_attempts(self) -> list[AttemptName]:
        """Return the attempts that have a Job."""
        seen = self._view.list_jobs() if self._view.is_current() else self._cluster.list_all(Job)[0]
        return [name for job in seen if (name := _read_name(job)) is not None]

    def find_fault(self) -> str | None:
        """Return why Kubernetes cannot be asked, or what this worker's account may not do there."""
        try:
            if self._has_rights:
                self._cluster.check()
                return None
            missing = self._cluster.list_missing_rights()
        except SkerryError as error:
            return error.what
        self._has_rights = not missing
        if self._has_rights:
            return None
        return (
            f"Kubernetes does not let this worker {', '.join(missing)} in the namespace "
            f"{self._settings.namespace}."
        )

    def recover(self) -> None:
        """Begin to watch. Jobs need no worker; `start_or_attach` completes what one had begun."""
        self._view.start()

    def close(self) -> None:
        """Start no more; the Jobs go on, and the next worker attaches to them."""
        self._closed = True
        self._view.close()

    def _settle(self, name: AttemptName, pod: Pod | None, state: AttemptState) -> AttemptState:
        """Keep an attempt's log and its end, and remove its secrets."""
        self._cluster.remove_secret(name_job(name))
        self._logs.keep(name, pod, end="" if find_words(pod) else state.detail)
        self._try_to_change(name, {}, {STATE: write_state(state)})
        job = self._cluster.find_job(name_job(name))
        self._ended[name] = (read_state(job) if job is not None else None) or state
        self._looks.pop(name, None)
        self._logs.forget(name)
        return self._ended[name]

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
