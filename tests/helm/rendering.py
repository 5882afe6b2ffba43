"""Renders the chart as Helm does, and takes the pods out of what it made.

The sub-charts are no part of the repository. SKERRY_SUB_CHARTS names folders in which theirs stand,
separated by colons; without it, a copy of the chart is rendered that depends on nothing.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.kubernetes.tools.programs import HELM

CHART = Path(__file__).parents[2] / "helm" / "skerry"
NAMESPACE = "skerry"
SUB_CHARTS = tuple(filter(None, os.environ.get("SKERRY_SUB_CHARTS", "").split(":")))
DIGEST = "sha256:" + "5" * 64

_ANALYSIS = {"images": {"analysis": {"digest": DIGEST}}}
ADDED: dict[str, dict[str, Any]] = {
    "trial": _ANALYSIS
    | {
        "database": {"inCluster": {"image": "registry.example/postgis:16"}},
        "objects": {"inCluster": {"image": "registry.example/minio:1"}},
    },
    "production": _ANALYSIS,
}
"""What an operator adds to each values file."""

_PATHS = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where the pods of a kind of object are described."""


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return values laid over each other, as Helm lays them."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = merge(merged[key], value) if both else value
    return merged


def parse(text: str) -> list[dict[str, Any]]:
    """Return the objects in what Helm has printed; by libyaml, as the whole chart is long."""
    return [content for content in yaml.load_all(text, Loader=yaml.CSafeLoader) if content]


def copy_chart(folder: Path, sub_charts: tuple[str, ...] = ()) -> Path:
    """Copy the chart into a folder, with sub-charts or else without dependencies."""
    copy = folder / "skerry"
    shutil.copytree(CHART, copy)
    described = yaml.safe_load((copy / "Chart.yaml").read_text())
    if sub_charts:
        for place in map(Path, sub_charts):
            name = yaml.safe_load((place / "Chart.yaml").read_text())["name"]
            shutil.copytree(place, copy / "charts" / name)
    else:
        del described["dependencies"]
        (copy / "Chart.yaml").write_text(yaml.safe_dump(described))
    return copy


@dataclass(frozen=True)
class Chart:
    """A copy of the chart, and how Helm is called with it.

    Attributes
    ----------
    folder
        The copy.
    is_whole
        Whether the sub-charts are in it.
    """

    folder: Path
    is_whole: bool

    def call(
        self, *words: str, values: str | None = None, config: Path | None = None, **changes: Any
    ) -> subprocess.CompletedProcess[str]:
        """Call Helm; `values` names a values file, `changes` are laid over it."""
        command = [str(HELM.locate()), *words]
        home = self.folder.parent  # what lies in the chart's own folder belongs to the chart
        if values is not None:
            own = home / "values.yaml"
            own.write_text(yaml.safe_dump(merge(ADDED[values], changes)))
            file = self.folder / "values" / f"{values}.yaml"
            command += ["--values", str(file), "--values", str(own)]
        environment = {"PATH": os.defpath, "HOME": str(home)}
        if config is not None:
            environment["KUBECONFIG"] = str(config)
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=home, check=False
        )

    def render(self, values: str, *options: str, **changes: Any) -> list[dict[str, Any]]:
        """Return the objects that Helm makes of a values file."""
        return parse(self._render(values, *options, changes=json.dumps(changes, sort_keys=True)))

    @cache  # noqa: B019 - a session has two charts
    def _render(self, values: str, *options: str, changes: str) -> str:
        words = ("template", "skerry", str(self.folder), "--namespace", NAMESPACE, *options)
        result = self.call(*words, values=values, **json.loads(changes))
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refuse(self, values: str, **changes: Any) -> str:
        """Return what Helm says to values that it must refuse."""
        words = ("template", "skerry", str(self.folder), "--namespace", NAMESPACE)
        result = self.call(*words, values=values, **changes)
        assert result.returncode != 0, "it was accepted"
        return result.stderr


@dataclass(frozen=True)
class Template:
    """The pods that an object makes.

    Attributes
    ----------
    name
        Kind and name of the object.
    namespace
        Where they are made.
    labels
        Their labels.
    spec
        Their description.
    """

    name: str
    namespace: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, those that run before the others too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def is_ours(self) -> bool:
        """Whether this chart made it, and no sub-chart."""
        return self.labels.get("app.kubernetes.io/name") == "skerry"


def list_pods(objects: list[dict[str, Any]], namespace: str = NAMESPACE) -> Iterator[Template]:
    """Give the pods that objects make, in a namespace unless they name another."""
    for content in objects:
        path = _PATHS.get(content["kind"])
        if path is None:
            continue
        pod = content
        for step in path:
            pod = pod[step]
        metadata = content["metadata"]
        yield Template(
            f"{content['kind']}/{metadata['name']}",
            metadata.get("namespace", namespace),
            pod["metadata"].get("labels", {}),
            pod["spec"],
        )


def find(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return one object."""
    [found] = [
        content
        for content in objects
        if content["kind"] == kind and content["metadata"]["name"] == name
    ]
    return found
