"""The chart's parts for operating: status page past the proxy, doctor, backups."""

import json
import re
from typing import Any

import pytest
from tests.helm.rendering import ADDED, CHART, Chart, find, list_pods

pytestmark = pytest.mark.kubernetes


def read_parts(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, str]:
    """Return the addresses of the parts that a container is told."""
    pods = {pod.name: pod for pod in list_pods(objects)}
    [container] = pods[f"{kind}/{name}"].containers
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    parts: dict[str, str] = json.loads(told["SKERRY_PARTS_AT"] or "")
    return parts


@pytest.mark.parametrize("values", sorted(ADDED))
def test_status_page_and_doctor_know_every_part(chart: Chart, values: str) -> None:
    objects = chart.render(values)
    services = {entry["metadata"]["name"] for entry in objects if entry["kind"] == "Service"}
    seen = read_parts(objects, "CronJob", "skerry-doctor")
    assert set(seen) == {"api", "maps", "dashboards", "worker", "hub", "proxy", "gateway"}
    assert {f"skerry-{part}" for part in ("api", "maps", "dashboards", "worker")} <= services
    for part in ("api", "maps", "dashboards", "worker"):
        assert seen[part] == f"http://skerry-{part}:8000/services/{part}/ready"
    notices = "http://skerry-api:8000/services/api/platform/notices"
    told = seen | {"notices": notices}
    assert read_parts(objects, "Deployment", "skerry-status") == told
    assert read_parts(objects, "Pod", "skerry-doctor") == seen
    reached = {name: seen[name] for name in ("hub", "gateway")}
    assert read_parts(objects, "StatefulSet", "skerry-worker") == reached


def test_without_a_gateway_nobody_asks_for_it(chart: Chart) -> None:
    objects = chart.render("trial", **{"dask-gateway": {"enabled": False}})
    assert "gateway" not in read_parts(objects, "Deployment", "skerry-status")


def test_the_status_page_has_a_way_past_the_hub_on_the_platform_s_own_name(chart: Chart) -> None:
    rules = find(chart.render("production"), "Ingress", "skerry")["spec"]["rules"]
    backends = {
        (rule["host"], path["path"]): path["backend"]["service"]["name"]
        for rule in rules
        for path in rule["http"]["paths"]
    }
    assert backends == {
        ("skerry.example.org", "/services/status"): "skerry-status",
        ("skerry.example.org", "/"): "proxy-public",
        ("*.skerry.example.org", "/"): "proxy-public",
    }
    ways = {"ingress": {"kind": "gateway", "gateways": [{"name": "public"}]}}
    route = find(chart.render("production", **ways), "HTTPRoute", "skerry-status")["spec"]
    assert route["hostnames"] == ["skerry.example.org"]
    assert route["rules"][0]["matches"][0]["path"]["value"] == "/services/status"
    assert route["rules"][0]["backendRefs"] == [{"name": "skerry-status", "port": 8000}]


def test_the_status_page_opens_neither_database_nor_bucket(chart: Chart) -> None:
    [container] = next(
        pod for pod in list_pods(chart.render("trial")) if pod.name == "Deployment/skerry-status"
    ).containers
    names = {entry["name"] for entry in container["env"]}
    assert not {name for name in names if "DATABASE" in name or name.startswith("AWS_")}
    assert not [entry for entry in container["env"] if "secretKeyRef" in str(entry)]


def test_the_doctor_is_a_test_of_helm_and_a_job_of_the_clock(chart: Chart) -> None:
    objects = chart.render("trial")
    test = find(objects, "Pod", "skerry-doctor")
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    clock = find(objects, "CronJob", "skerry-doctor")["spec"]
    assert clock["suspend"] is False
    assert clock["concurrencyPolicy"] == "Forbid"
    pod = clock["jobTemplate"]["spec"]["template"]["spec"]
    assert pod == test["spec"]
    assert pod["containers"][0]["args"][-2:] == ["doctor", "--run"]
    off = chart.render("trial", doctor={"enabled": False})
    assert find(off, "CronJob", "skerry-doctor")["spec"]["suspend"] is True


def test_backups_are_made_only_where_they_are_asked_for(chart: Chart) -> None:
    names = {entry["metadata"]["name"] for entry in chart.render("trial")}
    assert not {"skerry-backup", "skerry-restore"} & names
    objects = chart.render("production")
    volume = find(objects, "PersistentVolumeClaim", "skerry-backup")
    assert volume["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    back_up = find(objects, "CronJob", "skerry-backup")["spec"]
    restore = find(objects, "CronJob", "skerry-restore")["spec"]
    assert restore["suspend"] is True, "it is only started by hand"
    assert back_up["suspend"] is False, "an upgrade starts the clock again"
    for job, verb in ((back_up, "backup"), (restore, "restore")):
        [container] = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["args"][-2:] == [verb, "/backup"]


def test_a_volume_of_one_s_own_may_hold_the_backups(chart: Chart) -> None:
    objects = chart.render("production", backup={"claim": "far-away"})
    kinds = {entry["kind"] for entry in objects}
    assert "PersistentVolumeClaim" not in kinds
    for name in ("skerry-backup", "skerry-restore"):
        job = find(objects, "CronJob", name)["spec"]["jobTemplate"]["spec"]
        volumes = job["template"]["spec"]["volumes"]
        assert {"name": "backup", "persistentVolumeClaim": {"claimName": "far-away"}} in volumes
    said = chart.refuse("production", backup={"claim": "far-away", "storageClass": "slow"})
    assert 'backup.claim is "far-away", and backup.storageClass is "slow"' in said


PAGE = CHART.parents[1] / "platform" / "operating-on-kubernetes.md"
_OF_SUB_CHARTS = {"hub", "api-dask-gateway", "controller-dask-gateway"}
_MADE_BY_HAND = re.compile(r"create job (\S+) --from=cronjob/(\S+)")


def test_the_page_names_only_what_the_chart_makes(chart: Chart) -> None:
    text = PAGE.read_text()
    made = {
        f"{entry['kind'].lower()}/{entry['metadata']['name']}"
        for entry in chart.render("trial", backup={"enabled": True})
    }
    by_hand = {f"job/{job}" for job, _ in _MADE_BY_HAND.findall(text)}
    named = set(re.findall(r"\b((?:deployment|statefulset|cronjob|service|job)/[a-z0-9-]+)", text))
    foreign = {f"deployment/{name}" for name in _OF_SUB_CHARTS}
    assert len(named) > 8
    assert not named - made - by_hand - foreign - {"job/skerry-migrations-"}
    paths = set(re.findall(r"/services/[a-z]+/", text))
    assert paths == {"/services/status/"}


def _read_sources() -> str:
    """Return what our programs and the chart may say, strings over several lines joined."""
    folders = ((CHART.parents[1] / "platform" / "skerry", "*.py"), (CHART / "templates", "*"))
    texts = [
        path.read_text()
        for folder, name in folders
        for path in folder.rglob(name)
        if path.is_file()
    ]
    return re.sub(r'["\']\s*\n\s*f?["\']', "", "\n".join(texts))


def test_the_table_of_problems_quotes_what_is_really_said() -> None:
    section = PAGE.read_text().split("## Common problems")[1].split("\n## ")[0]
    sources = _read_sources()
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")][2:]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row) if " " in text]
    assert len(quoted) > 20
    for text in quoted:
        for piece in re.split(r"\.\.\.|\b(?:NAME|KEY|HOST|PORT|N|M|A|B|300|180|5)\b|\"|:", text):
            words = piece.strip(" .")
            if len(words) > 7 and not words.startswith("0/1"):
                assert words in sources, (text, words)
