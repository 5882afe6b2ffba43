"""From an empty node to one on which the chart can be installed: images, volumes, values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.foreign_images import (
    MINIO,
    POSTGRESQL,
    TRAEFIK,
    build_minio,
    build_postgresql,
    build_traefik,
)
from tests.cluster.installation import Installation
from tests.cluster.network import HOST
from tests.cluster.node import RealNode
from tests.cluster.own_images import NAMES, check_revisions, find_tag, import_image
from tests.cluster.volumes import offer_volumes
from tests.helm.rendering import SUB_CHARTS, Chart, copy_chart, merge
from tests.platform_process import free_port

_VALUES = Path(__file__).with_name("values.yaml")
_FOREIGN: dict[str, Callable[[Path], None]] = {
    POSTGRESQL: build_postgresql, MINIO: build_minio, TRAEFIK: build_traefik
}  # fmt: skip


def prepare(node: RealNode, chart: Chart) -> Installation:
    """Bring all images and volumes to a node; return what to install, which is not done yet."""
    check_revisions()
    offer_volumes(node.server, node.folder)
    for name, build in _FOREIGN.items():
        archive = node.folder / "foreign.tar"
        build(archive)
        node.containerd.take_image(archive, name)
        archive.unlink()
    digests = {name: import_image(node.containerd, node.folder, name) for name in NAMES}
    port = free_port()
    return Installation(node.config, chart, write_values(digests, port), port)


def copy_whole_chart(folder: Path) -> Chart:
    """Copy the chart and its sub-charts into a folder.

    Raises
    ------
    RuntimeError
        If the sub-charts are not at hand.
    """
    if not SUB_CHARTS:
        raise RuntimeError(
            "The sub-charts are missing: fetch zero-to-jupyterhub and dask-gateway beside the "
            "repository, and name their charts' folders in SKERRY_SUB_CHARTS, separated by a colon"
        )
    return Chart(copy_chart(folder, SUB_CHARTS), is_whole=True)


def write_values(digests: dict[str, str], port: int) -> dict[str, Any]:
    """Return the values of the tests for these images and this port."""
    hub = {"tag": find_tag("skerry-hub")}
    images = {
        "images": {
            "services": {"tag": find_tag("skerry-services")},
            "hub": hub,
            "analysis": {"digest": digests["skerry-analysis"]},
        },
        "jupyterhub": {"hub": {"image": hub}, "proxy": {"chp": {"image": hub}}},
        "dask-gateway": {"gateway": {"image": hub}, "controller": {"image": hub}},
    }
    address = {"publicUrl": f"http://localhost:{port}"}
    names = {"network": {"dnsAddresses": [f"{HOST}/32"]}}
    return merge(yaml.safe_load(_VALUES.read_text()), images, address, names)
