"""What holds for every pod of the chart, those of the sub-charts too when they are there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.helm.rendering import ADDED, DIGEST, NAMESPACE, Chart, Template, list_pods

pytestmark = pytest.mark.kubernetes

NEEDS_KUBERNETES = {
    "StatefulSet/skerry-worker": "it makes the Jobs of attempts",
    "Job/skerry-restarts": "it restarts hub and gateway after an upgrade",
    "Deployment/hub": "it starts servers",
    "Deployment/api-dask-gateway": "it keeps clusters as objects",
    "Deployment/controller-dask-gateway": "it starts schedulers and workers",
    "Deployment/traefik-dask-gateway": "it reads its routes",
}
"""Who gets a token of a service account, and why."""

UPSTREAM = {
    "Deployment/api-dask-gateway",
    "Deployment/controller-dask-gateway",
    "Deployment/traefik-dask-gateway",
}
"""Pods of dask-gateway's chart, which has no values for security contexts."""


@pytest.fixture(scope="module", params=sorted(ADDED))
def objects(fullest_chart: Chart, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return fullest_chart.render(request.param)


@pytest.fixture(scope="module")
def pods(objects: list[dict[str, Any]]) -> list[Template]:
    found = list(list_pods(objects))
    assert len(found) >= 5
    return found


def test_nothing_is_privileged(pods: list[Template]) -> None:
    for pod in pods:
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            assert not pod.spec.get(forbidden), pod.name
        assert not [volume for volume in pod.spec.get("volumes", []) if "hostPath" in volume]
        for container in pod.containers:
            security = container.get("securityContext", {})
            assert not security.get("privileged"), pod.name
            assert not security.get("capabilities", {}).get("add"), pod.name
            if pod.name not in UPSTREAM:
                assert security["allowPrivilegeEscalation"] is False, pod.name
                assert security["capabilities"]["drop"] == ["ALL"], pod.name


def test_nothing_runs_as_root(pods: list[Template]) -> None:
    for pod in pods:
        if pod.name in UPSTREAM:
            continue
        whole = pod.spec.get("securityContext", {})
        for container in pod.containers:
            both = whole | container.get("securityContext", {})
            assert both.get("runAsNonRoot") or both.get("runAsUser"), pod.name
            assert both["runAsUser"] > 0, pod.name
            assert both["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name


def test_no_root_file_system_can_be_written(pods: list[Template]) -> None:
    for pod in pods:
        if pod.name in UPSTREAM:
            continue
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod.name


def test_the_exceptions_of_dask_gateway_are_still_needed(
    fullest_chart: Chart, pods: list[Template]
) -> None:
    """A chart that lets us say it makes this fail: then the exceptions have to go."""
    found = {pod.name for pod in pods if pod.name in UPSTREAM}
    assert found == (UPSTREAM if fullest_chart.is_whole else set())
    for pod in pods:
        if pod.name in found:
            contexts = [container.get("securityContext", {}) for container in pod.containers]
            assert not any("readOnlyRootFilesystem" in context for context in contexts)


def test_only_those_who_need_kubernetes_get_a_token(pods: list[Template]) -> None:
    for pod in pods:
        mounted = pod.spec.get("automountServiceAccountToken", True)
        assert mounted == (pod.name in NEEDS_KUBERNETES), pod.name


def test_requests_and_limits_are_everywhere(pods: list[Template]) -> None:
    for pod in pods:
        for container in pod.containers:
            resources = container["resources"]
            for kind in ("requests", "limits"):
                assert set(resources[kind]) >= {"cpu", "memory"}, (pod.name, kind)


def test_no_variable_is_set_twice(pods: list[Template]) -> None:
    for pod in pods:
        for container in pod.containers:
            names = [variable["name"] for variable in container.get("env", [])]
            assert len(names) == len(set(names)), pod.name


def test_our_own_scratch_has_a_limit(pods: list[Template]) -> None:
    for pod in pods:
        if pod.is_ours:
            for volume in pod.spec.get("volumes", []):
                assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"], pod.name


def _is_chosen(pod: Template, policy: dict[str, Any], namespace: str) -> bool:
    if policy["metadata"].get("namespace", NAMESPACE) != namespace:
        return False
    selector = policy["spec"]["podSelector"]
    wanted = selector.get("matchLabels", {})
    if any(pod.labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        pod.labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def test_every_pod_is_closed_in_both_directions(
    objects: list[dict[str, Any]], pods: list[Template]
) -> None:
    policies = [content for content in objects if content["kind"] == "NetworkPolicy"]
    for pod in pods:
        ways = {
            way
            for policy in policies
            if _is_chosen(pod, policy, pod.namespace)
            for way in policy["spec"]["policyTypes"]
        }
        assert ways == {"Ingress", "Egress"}, pod.name


def test_a_secret_is_read_from_secrets_alone(objects: list[dict[str, Any]]) -> None:
    """No password or token stands in a ConfigMap, an argument or a plain variable."""
    secret_names = re.compile(r"(TOKEN|PASSWORD|SECRET|ACCESS_KEY|DATABASE_URL)", re.IGNORECASE)
    seen = 0
    for pod in list_pods(objects):
        for container in pod.containers:
            for variable in container.get("env", []):
                is_path = variable.get("value", "").startswith("/")
                if secret_names.search(variable["name"]) and not is_path:
                    assert "secretKeyRef" in variable["valueFrom"], (pod.name, variable["name"])
                    seen += 1
    assert seen >= 10


def _list_texts(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for value in content.values():
            yield from _list_texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _list_texts(value)
    elif isinstance(content, str):
        yield content


def test_no_generated_secret_shows_anywhere_else(objects: list[dict[str, Any]]) -> None:
    import base64

    made = set()
    for content in objects:
        if content["kind"] == "Secret":
            values = [base64.b64decode(text).decode() for text in content.get("data", {}).values()]
            made |= {text for text in values if re.fullmatch(r"[0-9A-Za-z]{20,}", text)}
            password = content.get("stringData", {}).get("password")
            made |= {password} if password else set()
    assert len(made) >= 6
    for content in objects:
        if content["kind"] == "Secret":
            continue
        for text in _list_texts(content):
            assert not [value for value in made if value in text], content["metadata"]["name"]


def test_images_can_be_named_by_digest(fullest_chart: Chart) -> None:
    pinned = {"tag": "0.1.0", "digest": DIGEST}
    hub = {"name": "registry.example.org/skerry/skerry-hub", "tag": f"0.1.0@{DIGEST}"}
    host = "https://skerry.example.org"
    config = {"JupyterHub": {"subdomain_host": host, "admin_access": False}}
    other = {"image": {"name": "registry.example/other", "tag": f"1@{DIGEST}"}}
    objects = fullest_chart.render(
        "production",
        images={"services": pinned, "hub": pinned, "analysis": pinned},
        jupyterhub={"hub": {"image": hub, "config": config}, "proxy": {"chp": other}},
        **{
            "dask-gateway": {
                "gateway": {"image": hub},
                "controller": {"image": hub},
                "traefik": other,
            }
        },
    )
    for pod in list_pods(objects):
        for container in pod.containers:
            assert container["image"].endswith(f"@{DIGEST}"), pod.name


def test_replicas_are_spread(pods: list[Template]) -> None:
    for pod in pods:
        if pod.is_ours and pod.labels["app.kubernetes.io/component"] in ("api", "maps", "worker"):
            rules = pod.spec["topologySpreadConstraints"]
            assert {rule["topologyKey"] for rule in rules} == {
                "kubernetes.io/hostname",
                "topology.kubernetes.io/zone",
            }
            for rule in rules:
                chosen = rule["labelSelector"]["matchLabels"].items()
                assert chosen <= pod.labels.items(), pod.name
