"""A release of the chart on the tests' own Kubernetes, which has no controllers and no nodes."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.helm.rendering import Chart, Template, list_pods, merge, parse
from tests.kubernetes.server import KubernetesServer

_FOREIGN = {
    "traefik.io/v1alpha1": ("IngressRoute", "Middleware"),
    "monitoring.coreos.com/v1": ("ServiceMonitor",),
    "gateway.networking.k8s.io/v1": ("HTTPRoute",),
}
"""Kinds that others define. Their own rules are not known here: any content is taken."""

_OF_SUB_CHARTS = "traefik.io"


@dataclass(frozen=True)
class Release:
    """An installed chart.

    Attributes
    ----------
    server, chart
        Where it is, and what it is.
    values
        The values file.
    namespace
        Its namespace; that of attempts is called ``<namespace>-attempts``.
    """

    server: KubernetesServer
    chart: Chart
    values: str
    namespace: str

    @property
    def changes(self) -> dict[str, Any]:
        """Values by which several releases stand side by side."""
        arguments = [
            f"--providers.kubernetescrd.namespaces={self.namespace}",
            "--providers.kubernetescrd.disableclusterscoperesources=true",
        ]
        first = self.values == "trial"
        classes = ("platform", "production", "interactive")
        return {
            "priorities": {name: {"create": first} for name in classes},
            "dask-gateway": {"traefik": {"additionalArguments": arguments}},
        }

    def read(self, path: str) -> dict[str, Any]:
        """Return an object of the namespace, such as ``/apis/apps/v1 deployments/NAME``."""
        api, _, name = path.partition(" ")
        with self.server.log_in() as owner:
            answer = owner.get(f"{api}/namespaces/{self.namespace}/{name}")
        return answer.json() if answer.is_success else {}

    @property
    def config(self) -> Path:
        """The kubeconfig of the cluster's owner."""
        return self.server.write_config("owner", namespace=self.namespace)

    def call(self, *words: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        """Call ``helm install`` or ``helm upgrade``."""
        command = (*words, "skerry", str(self.chart.folder), "--namespace", self.namespace)
        merged = merge(self.changes, changes)
        return self.chart.call(*command, values=self.values, config=self.config, **merged)

    def prepare(self) -> None:
        """Make the namespace, as an operator and the cluster's controllers would."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        name = self.namespace
        self.server.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        account = {"metadata": {"name": "default"}}
        self.server.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)

    def prepare_production(self) -> None:
        """Make the namespace and the Secrets that the values for production name."""
        self.prepare()
        self.add_secret("skerry-database-access", url="postgresql://u:p@db/n")
        self.add_secret("skerry-bucket-access", **{"access-key": "a", "secret-key": "s"})
        self.add_secret("skerry-sign-on", **{"client-secret": "c"})

    def add_secret(self, name: str, **content: str) -> None:
        """Make a Secret that the values name."""
        self.server.create(
            f"/api/v1/namespaces/{self.namespace}/secrets",
            {"metadata": {"name": name}, "stringData": content},
        )

    def list_pods(self) -> list[Template]:
        """Return the pods that its objects make."""
        words = ("template", "skerry", str(self.chart.folder), "--namespace", self.namespace)
        made = self.chart.call(*words, values=self.values, **self.changes)
        assert made.returncode == 0, made.stderr
        return list(list_pods(parse(made.stdout), self.namespace))

    def may(self, account: str, verb: str, what: str, namespace: str | None = None) -> bool:
        """Return whether a service account says of itself that it may do something.

        Parameters
        ----------
        account
            A service account of the release; ``attempts/NAME`` for one of the other namespace.
        verb, what
            What it would do: ``get``, ``secrets`` or ``batch/jobs`` or ``pods/log``.
        namespace
            Where: that of the release if None, ``*`` for all.
        """
        *elsewhere, name = account.split("/")
        home = f"{self.namespace}-attempts" if elsewhere else self.namespace
        path = f"/api/v1/namespaces/{home}/serviceaccounts/{name}/token"
        token = self.server.create(path, {"spec": {}})["status"]["token"]
        group, _, resource = what.rpartition(":")
        resource, _, part = resource.partition("/")
        asked = {
            "verb": verb, "group": group, "resource": resource, "subresource": part,
            "namespace": "" if namespace == "*" else namespace or self.namespace,
        }  # fmt: skip
        with self.server.log_in(token) as client:
            answer = client.post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                json={"spec": {"resourceAttributes": asked}},
            )
        assert answer.status_code == 201, answer.text
        return bool(answer.json()["status"]["allowed"])

    def try_pod(self, pod: Template) -> httpx.Response:
        """Return what Kubernetes says to a pod, which it does not make."""
        volumes = pod.spec.get("volumes", [])
        mounted = {
            mount["name"]
            for container in pod.containers
            for mount in container.get("volumeMounts", [])
        }
        claimed = [
            {"name": name, "persistentVolumeClaim": {"claimName": name}}
            for name in mounted - {volume["name"] for volume in volumes}
        ]  # those of a StatefulSet
        content = {
            "metadata": {"generateName": "trial-", "labels": pod.labels},
            "spec": pod.spec | {"volumes": [*volumes, *claimed]},
        }
        with self.server.log_in() as owner:
            return owner.post(
                f"/api/v1/namespaces/{pod.namespace}/pods", json=content, params={"dryRun": "All"}
            )


def define_foreign_kinds(server: KubernetesServer, *, is_whole: bool) -> None:
    """Define the kinds of other projects that the chart uses; the sub-charts bring Traefik's."""
    for version, kinds in _FOREIGN.items():
        group, _, name = version.partition("/")
        if is_whole and group == _OF_SUB_CHARTS:
            continue
        for kind in kinds:
            plural = f"{kind.lower()}s"
            schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            server.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
                "metadata": {"name": f"{plural}.{group}", "annotations": {
                    "api-approved.kubernetes.io": "https://test.example"}},
                "spec": {
                    "group": group, "scope": "Namespaced",
                    "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                    "versions": [{"name": name, "served": True, "storage": True,
                                  "schema": {"openAPIV3Schema": schema}}],
                },
            })  # fmt: skip
