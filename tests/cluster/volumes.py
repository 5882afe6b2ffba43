"""Volumes of a single node: folders of it, made beforehand, of the class that claims get."""

from pathlib import Path

from tests.kubernetes.server import KubernetesServer

_CLASS = "folders"
_COUNT = 12
_SIZE = "1Ti"
"""More than any claim asks for: nobody measures a folder."""


def offer_volumes(server: KubernetesServer, folder: Path) -> None:
    """Make folders and say that they are volumes for whoever claims a volume.

    Kubernetes gives such a folder to no group, as it does with other volumes, so everybody may
    write there.
    """
    server.create("/apis/storage.k8s.io/v1/storageclasses", {
        "metadata": {
            "name": _CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    })  # fmt: skip
    for number in range(_COUNT):
        place = folder / "volumes" / str(number)
        place.mkdir(parents=True)
        place.chmod(0o777)
        server.create("/api/v1/persistentvolumes", {
            "metadata": {"name": f"folder-{number}"},
            "spec": {
                "capacity": {"storage": _SIZE}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": _CLASS,
                "hostPath": {"path": str(place), "type": "Directory"},
            },
        })  # fmt: skip
