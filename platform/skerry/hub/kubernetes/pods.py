"""The pod of a user server: it fulfils the restricted pod security standard of Kubernetes.

Sidecars and init containers that the values of the z2jh chart may ask for are left out: they see
the same volumes, and one of them, which blocks the metadata address of a cloud, runs as root. The
NetworkPolicies of our chart do that.
"""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings

USER_ID = 1000
"""User and group of all images."""

POD_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "fsGroup": USER_ID,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def set_pods(config: Any, settings: ClusterHubSettings) -> None:
    """Set what all pods of user servers have alike."""
    pods = config.KubeSpawner
    pods.uid = pods.gid = pods.fs_gid = USER_ID
    pods.privileged = False
    pods.allow_privilege_escalation = False
    pods.pod_security_context = POD_SECURITY
    pods.container_security_context = CONTAINER_SECURITY
    pods.automount_service_account_token = False
    pods.extra_pod_config = {"enableServiceLinks": False}
    pods.extra_container_config = {}
    pods.init_containers = []
    pods.extra_containers = []
    pods.lifecycle_hooks = {}
    pods.delete_grace_period = 10
    pods.image = settings.images[0].image
    pods.working_dir = settings.home.mount
    if settings.priority_class is not None:
        pods.priority_class_name = settings.priority_class
