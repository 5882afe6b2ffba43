"""The objects that an attempt is on Kubernetes: a Job, and a Secret that goes with it.

The pod fulfils the restricted pod security standard: no root, no privileges, a root file system
that nobody can write, and no token of its service account.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import PurePosixPath

from lightkube.models.batch_v1 import (
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
)
from lightkube.models.core_v1 import (
    Capabilities,
    ConfigMapVolumeSource,
    Container,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EnvFromSource,
    EnvVar,
    ObjectFieldSelector,
    PodSecurityContext,
    PodSpec,
    PodTemplateSpec,
    ResourceRequirements,
    SeccompProfile,
    SecretEnvSource,
    SecurityContext,
    Toleration,
    Volume,
    VolumeMount,
)
from lightkube.models.meta_v1 import ObjectMeta, OwnerReference
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod, Secret

from skerry.core.pod_variables import escape_references
from skerry.models.releases import Environment
from skerry.production.environments import STATED_VARIABLE
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.last_words import FILE_VARIABLE, REASON_VARIABLE
from skerry.production.executors.protocol import AttemptName, Limits, Order
from skerry.production.executors.variables import list_inherited, name_own
from skerry.production.images import Images

LABELS = {"app.kubernetes.io/managed-by": "skerry", "app.kubernetes.io/component": "attempt"}
RUN_LABEL = "skerry/run"
EPOCH_LABEL = "skerry/epoch"
JOB_LABEL = "batch.kubernetes.io/job-name"
"""Label by which Kubernetes itself marks the pods of a Job."""
TIME_LIMIT = "skerry/time-limit"
MEMORY_LIMIT = "skerry/memory-limit"
STARTED = "skerry/started"
"""Annotation of a Job that was let go, once its secrets were there."""
END = "skerry/end"
"""Annotation of a Job that an executor ends: as what; and of a pod: why."""
STATE = "skerry/state"
"""Annotation of a Job whose attempt is over: its last state."""
CONTAINER = "attempt"

LAST_WORDS = PurePosixPath("/dev/termination-log")
_REASONS = PurePosixPath("/run/skerry")
_WORK = PurePosixPath("/attempt")
_TEMPORARY = PurePosixPath("/tmp")  # noqa: S108  (the pod's own, of this attempt alone)
_MARGIN_S = 60
"""How much later than the executor Kubernetes itself ends an attempt, if no worker is there."""
_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def name_job(name: AttemptName) -> str:
    """Return the name of an attempt's Job, and of its Secret."""
    return f"attempt-{name}"


def name_job_of(thing: Job | Pod) -> str:
    """Return the name of the Job that something is, or belongs to."""
    metadata = thing.metadata
    labels = (metadata and metadata.labels) or {}
    return labels.get(JOB_LABEL) or (metadata and metadata.name) or ""


def write_job(name: AttemptName, order: Order, limits: Limits, settings: JobSettings) -> Job:
    """Return an attempt's Job. It waits until it is let go, because its Secret comes after it.

    Nothing is tried twice by Kubernetes: whether there is another attempt decides the run's logic.
    """
    labels = LABELS | {RUN_LABEL: name.run, EPOCH_LABEL: str(name.epoch)}
    annotations = {
        TIME_LIMIT: f"{limits.time_s:g}",
        MEMORY_LIMIT: str(limits.memory or ""),
        END: "",
    }
    disrupted = PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
    return Job(
        metadata=ObjectMeta(
            name=name_job(name),
            namespace=settings.namespace,
            labels=labels,
            annotations=annotations,
        ),
        spec=JobSpec(
            suspend=True,
            backoffLimit=0,
            completions=1,
            parallelism=1,
            podFailurePolicy=PodFailurePolicy(
                rules=[PodFailurePolicyRule(action="FailJob", onPodConditions=[disrupted])]
            ),
            ttlSecondsAfterFinished=settings.kept_s,
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels=labels, annotations={END: ""}),
                spec=_write_pod(name, order, limits, settings),
            ),
        ),
    )


def find_image(environment: Environment, settings: JobSettings) -> str | None:
    """Return the image that has a release's environment, None where none is known."""
    return Images(own=settings.image, others=settings.images).find(environment)


def write_secret(job: Job, secrets: Mapping[str, str]) -> Secret:
    """Return the Secret with what only an attempt may know; it is removed with its Job."""
    assert job.metadata is not None  # noqa: S101  (the server has answered it)
    assert job.metadata.name is not None  # noqa: S101
    assert job.metadata.uid is not None  # noqa: S101
    owner = OwnerReference(
        apiVersion="batch/v1", kind="Job", name=job.metadata.name, uid=job.metadata.uid
    )
    return Secret(
        metadata=ObjectMeta(
            name=job.metadata.name,
            namespace=job.metadata.namespace,
            labels=LABELS,
            ownerReferences=[owner],
        ),
        immutable=True,
        stringData=dict(secrets),
    )


def _write_pod(name: AttemptName, order: Order, limits: Limits, settings: JobSettings) -> PodSpec:
    volumes = _write_volumes(settings)
    return PodSpec(
        restartPolicy="Never",
        serviceAccountName=settings.account,
        automountServiceAccountToken=False,
        enableServiceLinks=False,
        priorityClassName=settings.priority,
        terminationGracePeriodSeconds=settings.patience_s,
        activeDeadlineSeconds=math.ceil(limits.time_s + settings.start_s) + _MARGIN_S,
        tolerations=[
            Toleration(
                key=key,
                operator="Exists",
                effect="NoExecute",
                tolerationSeconds=int(settings.lost_s),
            )
            for key in _LOST
        ],
        securityContext=PodSecurityContext(
            runAsNonRoot=True, seccompProfile=SeccompProfile(type="RuntimeDefault")
        ),
        containers=[
            Container(
                name=CONTAINER,
                image=find_image(order.environment, settings),
                imagePullPolicy=settings.pull,
                command=["python", *order.arguments],
                workingDir=str(_WORK),
                env=_write_variables(order),
                envFrom=[EnvFromSource(secretRef=SecretEnvSource(name=name_job(name)))],
                resources=_write_resources(limits, settings),
                terminationMessagePath=str(LAST_WORDS),
                terminationMessagePolicy="File",
                securityContext=SecurityContext(
                    allowPrivilegeEscalation=False,
                    readOnlyRootFilesystem=True,
                    capabilities=Capabilities(drop=["ALL"]),
                ),
                volumeMounts=[mount for mount, _ in volumes],
            )
        ],
        volumes=[volume for _, volume in volumes],
    )


def _write_volumes(settings: JobSettings) -> list[tuple[VolumeMount, Volume]]:
    """Return what is seen in a container, and where."""
    reason = DownwardAPIVolumeFile(
        path="reason", fieldRef=ObjectFieldSelector(fieldPath=f"metadata.annotations['{END}']")
    )
    volumes = [
        (
            VolumeMount(name="work", mountPath=str(_WORK)),
            Volume(name="work", emptyDir=EmptyDirVolumeSource()),
        ),
        (
            VolumeMount(name="temporary", mountPath=str(_TEMPORARY)),
            Volume(name="temporary", emptyDir=EmptyDirVolumeSource()),
        ),
        (
            VolumeMount(name="reason", mountPath=str(_REASONS), readOnly=True),
            Volume(name="reason", downwardAPI=DownwardAPIVolumeSource(items=[reason])),
        ),
    ]
    files = os.environ.get("SSL_CERT_FILE") or os.environ.get("AWS_CA_BUNDLE")
    if settings.certificates is not None and files:
        source = ConfigMapVolumeSource(name=settings.certificates)
        folder = str(PurePosixPath(files).parent)
        volumes.append(
            (
                VolumeMount(name="certificates", mountPath=folder, readOnly=True),
                Volume(name="certificates", configMap=source),
            )
        )
    return volumes


def _write_resources(limits: Limits, settings: JobSettings) -> ResourceRequirements:
    requests = {"cpu": settings.cpu}
    if limits.memory is None:
        return ResourceRequirements(requests=requests)
    memory = {"memory": str(limits.memory)}
    return ResourceRequirements(requests=requests | memory, limits=memory)


def _write_variables(order: Order) -> list[EnvVar]:
    variables = {
        **order.variables,
        **list_inherited(),
        **name_own(_WORK),
        "SKERRY_ISOLATION": "pod",
        STATED_VARIABLE: json.dumps(dict(order.environment)),
        "HOME": str(_WORK),
        "TMPDIR": str(_TEMPORARY),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        FILE_VARIABLE: str(LAST_WORDS),
        REASON_VARIABLE: str(_REASONS / "reason"),
    }
    return [
        EnvVar(name=name, value=escape_references(value))
        for name, value in sorted(variables.items())
    ]
