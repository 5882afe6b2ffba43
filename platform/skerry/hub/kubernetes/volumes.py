"""Volumes of a user server: the home, shared data, and a folder for each project of the person.

Which of them a server gets is decided when it starts, from the person's groups at that moment.
"""

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from kubespawner.slugs import safe_slug

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.hub_profiles import ProjectVolumes, SharedVolume
from skerry.core.scopes import list_projects

_HOME, _TEMPORARY, _PROJECTS = "skerry-home", "skerry-tmp", "skerry-projects"


def set_volumes(config: Any, settings: ClusterHubSettings) -> None:
    """Give each person a home; volumes that the values of the z2jh chart name are left out."""
    home, spawner = settings.home, config.KubeSpawner
    spawner.storage_pvc_ensure = True
    spawner.pvc_name_template = "home-{username}"
    spawner.storage_capacity = home.capacity
    spawner.storage_access_modes = [home.access_mode]
    if home.storage_class is not None:
        spawner.storage_class = home.storage_class
    spawner.volumes = spawner.volume_mounts = []  # `PersonSpawner` asks for them when it starts


def list_groups(spawner: Any) -> frozenset[str]:
    """Return the hub groups of a server's person, and the platform's projects where they work."""
    return frozenset(group.name for group in spawner.user.groups).union(spawner.works_in)


def name_folder(project: str) -> str:
    """Return the name of a project's folder: no two projects have the same, and it leads nowhere.

    Names such as ``lakes`` stay as they are; others (``/Lakes/north``, ``..``) get a name of
    letters, digits and hyphens with a part of their digest at the end.
    """
    return str(safe_slug(project))


def list_volumes(settings: ClusterHubSettings, groups: Collection[str]) -> list[dict[str, Any]]:
    """Return the volumes of the pod of a person with these groups."""
    shared = _choose_shared(settings.shared, groups)
    claims = {volume.claim: _name_shared(volume) for volume in shared}
    volumes = [
        {"name": _HOME, "persistentVolumeClaim": {"claimName": "{pvc_name}"}},
        {"name": _TEMPORARY, "emptyDir": {}},
        *(
            {"name": name, "persistentVolumeClaim": {"claimName": claim}}
            for claim, name in claims.items()
        ),
    ]
    projects = settings.projects
    if projects is not None and list_projects(frozenset(groups)):
        claim = {"claimName": projects.claim}
        volumes.append({"name": _PROJECTS, "persistentVolumeClaim": claim})
    return volumes


def list_mounts(
    settings: ClusterHubSettings, groups: Collection[str], reads: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return where the container of a person with these groups has its volumes.

    Parameters
    ----------
    reads
        Projects whose folders the person may only read.
    """
    shared = _choose_shared(settings.shared, groups)
    claims = {volume.claim: _name_shared(volume) for volume in shared}
    mounts: list[dict[str, Any]] = [
        {"name": _HOME, "mountPath": settings.home.mount},
        {"name": _TEMPORARY, "mountPath": "/tmp"},  # noqa: S108  (the pod's own)
    ]
    for volume in shared:
        place = {"subPath": volume.sub_path} if volume.sub_path else {}
        writable = not set(volume.writable_by).isdisjoint(groups)
        mounts.append(
            {
                "name": claims[volume.claim],
                "mountPath": volume.mount,
                "readOnly": not writable,
                **place,
            }
        )
    if settings.projects is not None:
        mounts += _mount_projects(settings.projects, groups)
        only_reads = list_projects(frozenset(reads)) - set(groups)
        mounts += [
            {**mount, "readOnly": True} for mount in _mount_projects(settings.projects, only_reads)
        ]
    return mounts


def _mount_projects(projects: ProjectVolumes, groups: Collection[str]) -> list[dict[str, Any]]:
    folders = sorted(map(name_folder, list_projects(frozenset(groups))))
    return [
        {
            "name": _PROJECTS,
            "mountPath": str(PurePosixPath(projects.mount) / folder),
            "subPath": folder,
        }
        for folder in folders
    ]


def _choose_shared(
    volumes: Collection[SharedVolume], groups: Collection[str]
) -> list[SharedVolume]:
    return [
        volume
        for volume in volumes
        if not volume.groups or not {*volume.groups, *volume.writable_by}.isdisjoint(groups)
    ]


def _name_shared(volume: SharedVolume) -> str:
    return f"shared-{volume.name}"
