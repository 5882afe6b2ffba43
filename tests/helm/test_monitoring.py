"""What is measured is what the dashboard shows, and Prometheus gets to it."""

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.helm.rendering import CHART, Chart, find, list_pods
from tests.served_api import fill_database, make_hub_access

from skerry.core.hosts import allowed_hosts
from skerry.core.measurements import Measurements
from skerry.core.settings import ServiceSettings
from skerry.production.tokens import TokenMinter
from skerry.services.api import create_api
from skerry.services.maps import create_maps
from skerry.services.worker import Worker
from skerry.storage.layout import DataFolder

_NAME = re.compile(r"\b((?:skerry|process)_[a-z_]+)")
_LABELS = re.compile(r"by \(([a-z, ]+)\)")
_OF_PROMETHEUS = {"job", "pod", "le"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the names of what api, maps and worker measure, and the labels of each."""
    data = DataFolder(tmp_path_factory.mktemp("measured") / "data")
    data.create()
    fill_database(data)
    url = "http://127.0.0.1:8000"
    settings = ServiceSettings(data=data.root, public_url=url, port=1)
    api = create_api(settings, hub=make_hub_access("api")).state.measurements
    maps = create_maps(settings, hub=make_hub_access("maps")).state.measurements
    worker = Measurements()
    rounds = Worker(data, url, TokenMinter(url, "token"), worker)
    rounds._rounds.labels("done").observe(0.1)
    for measurements in (api, maps, worker):
        measurements.note_request("GET", "/x", 200, 0.1)
        measurements.note_statement("SELECT 1", 0.1)
        measurements.note_objects("folder", "read", "done", 0.1)
    names: dict[str, set[str]] = {}
    for measurements in (api, maps, worker):
        for family in text_string_to_metric_families(measurements.write().decode()):
            names.setdefault(family.name, set())
            for sample in family.samples:
                names.setdefault(sample.name, set()).update(sample.labels)
    return names


def read_expressions() -> list[str]:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def test_the_dashboard_shows_what_is_measured(measured: dict[str, set[str]]) -> None:
    expressions = read_expressions()
    assert len(expressions) > 20
    for expression in expressions:
        for name in _NAME.findall(expression):
            known = {name, name.removesuffix("_total")} & measured.keys()
            assert known, f"{name} in {expression} is measured by no part"
            labels = set().union(*(measured[one] for one in known))
            if labels:
                named = {word.strip() for found in _LABELS.findall(expression)
                         for word in found.split(",")}  # fmt: skip
                assert named <= labels | _OF_PROMETHEUS, expression


def test_the_dashboard_shows_all_that_is_measured(measured: dict[str, set[str]]) -> None:
    shown = set(_NAME.findall(" ".join(read_expressions())))
    shown = {re.sub(r"_(count|sum|bucket)$", "", name) for name in shown}
    own = {name for name in measured if name.startswith("skerry_")}
    own = {re.sub(r"_(count|sum|bucket|created)$", "", name) for name in own}
    assert own - shown == {"skerry_disk_bytes"}, "a pod's own disk says nothing"


@pytest.mark.kubernetes
def test_prometheus_finds_each_part_with_its_token(chart: Chart) -> None:
    objects = chart.render("production")
    for part in ("api", "maps", "dashboards", "worker"):
        monitor = find(objects, "ServiceMonitor", f"skerry-{part}")["spec"]
        service = find(objects, "Service", f"skerry-{part}")
        chosen = monitor["selector"]["matchLabels"].items()
        assert chosen <= service["metadata"]["labels"].items()
        [endpoint] = monitor["endpoints"]
        assert endpoint["path"] == f"/services/{part}/metrics"
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        credentials = endpoint["authorization"]["credentials"]
        assert credentials["key"] in find(objects, "Secret", credentials["name"])["data"]
    shown = find(objects, "ConfigMap", "skerry-grafana")
    assert json.loads(shown["data"]["skerry.json"])["title"] == "Skerry"


@pytest.mark.kubernetes
def test_a_part_answers_to_its_pod_s_own_address(fullest_chart: Chart) -> None:
    """Probes and Prometheus know no other name, and cannot be told to send one."""
    objects = fullest_chart.render("production")
    public = "https://skerry.example.org"
    told = {}
    for pod in list_pods(objects):
        for container in pod.containers:
            variables = {one["name"]: one.get("value") for one in container.get("env", [])}
            if "SKERRY_ALLOWED_HOSTS" in variables:
                told[container["name"]] = variables["SKERRY_ALLOWED_HOSTS"]
    gateway = {"gateway"} if fullest_chart.is_whole else set()
    assert set(told) == {"api", "maps", "dashboards", "status", "worker"} | gateway
    for part, names in told.items():
        inside = names.replace("$(POD_IP)", "10.1.2.3").replace("$(POD_NAMESPACE)", "skerry")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SKERRY_ALLOWED_HOSTS", inside)
            allowed = allowed_hosts(public)
        assert {"10.1.2.3", "skerry.example.org"} <= allowed
        # the status page is not behind the door inside, which the gateway's proxy opens
        assert ("traefik-dask-gateway.skerry.svc" in allowed) == (part != "status")
        own = {"gateway": "api-dask-gateway.skerry"}.get(part, f"skerry-{part}")
        assert own in allowed
