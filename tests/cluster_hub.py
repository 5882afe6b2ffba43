"""Settings of a hub on Kubernetes for tests: a small team with several profiles and volumes."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings


def name_image(letter: str) -> str:
    """Return the name of an image with a digest of one repeated hexadecimal digit."""
    return f"registry.example/skerry-analysis@sha256:{letter * 64}"


def describe_hub(**changes: Any) -> dict[str, Any]:
    """Return settings as they stand in a chart's values."""
    return {
        "publicUrl": "https://skerry.example",
        "internalUrl": "http://inside.skerry.svc",
        "userDomain": "people.skerry.example",
        "services": [
            {"name": "api", "url": "http://skerry-api:8000"},
            {"name": "maps", "url": "http://skerry-maps:8000"},
            {"name": "dashboards", "url": "http://skerry-dashboards:8000"},
            {"name": "dask-gateway", "url": "http://api-dask-gateway:8000"},
            {"name": "worker"},
            {"name": "prometheus"},
        ],
        "images": [
            {"name": "current", "title": "Skerry 2026.11", "image": name_image("a")},
            {"name": "last", "title": "Skerry 2026.5", "image": name_image("b")},
        ],
        "profiles": [
            {"name": "small", "title": "Small", "cpu": 2, "memory": "4Gi"},
            {
                "name": "large", "title": "Much memory", "cpu": 8, "memory": "64Gi",
                "groups": ["lakes"], "nodeSelector": {"size": "large"},
            },
            {
                "name": "gpu", "title": "GPU", "cpu": 4, "memory": "16Gi", "gpus": 1,
                "groups": ["glaciers"], "images": ["current"],
                "tolerations": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
            },
        ],
        "shared": [
            {"name": "dem", "claim": "elevation", "mount": "/data/elevation"},
            {
                "name": "lake-models", "claim": "models", "subPath": "lakes/all",
                "mount": "/data/lakes", "groups": ["lakes"], "writableBy": ["lake-keepers"],
            },
        ],
        "projects": {"claim": "projects"},
        "priorityClass": "skerry-interactive",
        "dask": {
            "dashboards": "traefik-dask-gateway:80",
            "proxyAddress": "gateway://traefik-dask-gateway:80",
        },
        **changes,
    }  # fmt: skip


def make_hub(**changes: Any) -> ClusterHubSettings:
    """Return the settings, with some of them changed."""
    return ClusterHubSettings.model_validate(describe_hub(**changes))
