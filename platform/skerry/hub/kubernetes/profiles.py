"""The profiles of the settings, as KubeSpawner's list of choices for one person."""

from collections.abc import Collection
from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.hub_profiles import Profile, ServerImage, count_bytes
from skerry.hub.kubernetes.volumes import list_groups

_SHARE = 4
"""By default a server is guaranteed this part of its processors: most of the time people think."""


def set_profiles(config: Any, settings: ClusterHubSettings) -> None:
    """Offer each person the profiles of their groups, in the order of the settings."""
    config.KubeSpawner.profile_list = lambda spawner: list_profiles(settings, list_groups(spawner))


def list_profiles(settings: ClusterHubSettings, groups: Collection[str]) -> list[dict[str, Any]]:
    """Return the profiles that a person with these groups may choose.

    Whoever has none of them gets the smallest that is left: none at all, and KubeSpawner says so.
    """
    return [
        _describe_profile(profile, _offer_images(settings.images, profile))
        for profile in settings.profiles
        if not profile.groups or not set(profile.groups).isdisjoint(groups)
    ]


def _offer_images(images: Collection[ServerImage], profile: Profile) -> list[ServerImage]:
    return [image for image in images if not profile.images or image.name in profile.images]


def _describe_profile(profile: Profile, images: Collection[ServerImage]) -> dict[str, Any]:
    return {
        "slug": profile.name,
        "display_name": profile.title,
        "description": profile.description or _describe_size(profile),
        "kubespawner_override": describe_limits(profile),
        "profile_options": {
            "image": {
                "display_name": "Environment",
                "choices": {
                    image.name: {
                        "display_name": image.title,
                        "kubespawner_override": {"image": image.image},
                    }
                    for image in images
                },
            }
        },
    }


def describe_limits(profile: Profile) -> dict[str, Any]:
    """Return a profile's limits as traits of KubeSpawner."""
    memory = count_bytes(profile.memory)
    kept = count_bytes(profile.memory_guarantee) if profile.memory_guarantee else memory
    gpus = {profile.gpu_resource: str(profile.gpus)} if profile.gpus else {}
    return {
        "cpu_limit": profile.cpu,
        "cpu_guarantee": profile.cpu_guarantee or profile.cpu / _SHARE,
        "mem_limit": memory,
        "mem_guarantee": kept,
        "extra_resource_limits": gpus,
        "extra_resource_guarantees": gpus,
        "node_selector": dict(profile.node_selector),
        "tolerations": [
            one.model_dump(exclude_none=True, by_alias=True) for one in profile.tolerations
        ],
    }


def _describe_size(profile: Profile) -> str:
    gpus = f", {profile.gpus} GPU" if profile.gpus else ""
    return f"{profile.cpu:g} processors, {profile.memory[:-2]} {profile.memory[-2:]}B{gpus}"


def list_choices(profiles: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the names of profiles that are offered, each with the names of its images."""
    return {
        profile["slug"]: list(profile["profile_options"]["image"]["choices"])
        for profile in profiles
    }
