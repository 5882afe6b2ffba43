"""Signs of life of real processes: what each part measures, and one request through all logs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.production.stage import Stage, serve_stage
from tests.platform_process import RunningPlatform

from skerry.core.logs import FORMAT_VARIABLE

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

WEB = {"skerry_request_seconds", "process_cpu_seconds"}
STATE = {"skerry_database_seconds", "skerry_objects_seconds"}
MEASURED = {
    "api": WEB | STATE | {
        "skerry_runs", "skerry_attempts", "skerry_queue_seconds", "skerry_disk_bytes",
        "skerry_worker_silence_seconds", "skerry_disagreements",
    },
    "maps": WEB | STATE | {"skerry_chunk_requests", "skerry_chunk_cache_bytes"},
    "worker": WEB | STATE | {"skerry_round_seconds"},
    "dashboards": WEB,
}  # fmt: skip
REQUEST = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return a platform that writes JSON lines."""
    data = tmp_path_factory.mktemp("signs") / "data"
    with serve_stage(data, parts=None, settings={FORMAT_VARIABLE: "json"}) as stage:
        yield stage


@pytest.fixture(scope="module")
def run(stage: Stage) -> str:
    """Return a run that one request has started, and that has ended."""
    answer = stage.platform.http(stage.platform.token).post(
        "/services/api/production/jobs/field/runs", json={}, headers={"X-Request-ID": REQUEST}
    )
    run = str(answer.json()["id"])
    stage.wait_for(run, "succeeded")
    return run


def read_lines(text: str) -> list[dict[str, Any]]:
    """Return the JSON lines of a log."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_one_request_leads_through_all_logs(stage: Stage, run: str) -> None:
    for part in ("api", "worker"):
        log = stage.platform.log_text(part)
        named = [line for line in read_lines(log) if line.get("request") == REQUEST]
        assert [line for line in named if run in json.dumps(line)], log
        assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)$", line["time"]) for line in named)
    worker = read_lines(stage.platform.log_text("worker"))
    assert {line["request"] for line in worker if line.get("run") == run} == {REQUEST}
    attempt = stage.fetch(f"/production/runs/{run}/log").text
    lines = read_lines(attempt)
    assert {(line["run"], line["request"]) for line in lines} == {(run, REQUEST)}
    assert "the gate is" in attempt, "what a notebook prints stays as it is"
    # The attempt asked the api to publish under the same name, which the audit tells.
    entries = json.loads(stage.platform.run("audit", "--what", f"run/{run}", "--json").stdout)
    by_people = [entry for entry in entries if entry["request"] is not None]
    assert len(by_people) > 1
    assert {entry["request"] for entry in by_people} == {REQUEST}
    published = "published 1 outputs"
    (line,) = [line for line in read_lines(stage.platform.log_text("api"))
               if published in line["message"] and run in line["message"]]  # fmt: skip
    assert line["request"] == REQUEST


def measure(platform: RunningPlatform, part: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return the samples of each measurement of a part, read as Prometheus reads them."""
    token = (platform.data / "state" / "metrics-token").read_text()
    answer = httpx.get(
        f"{platform.url}/services/{part}/metrics",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    )
    answer.raise_for_status()
    families = text_string_to_metric_families(answer.text)
    return {
        family.name: [(sample.name, sample.labels) for sample in family.samples]
        for family in families
    }


@pytest.mark.parametrize("part", MEASURED)
def test_each_part_measures_what_it_does(stage: Stage, run: str, part: str) -> None:
    stage.platform.run("prune", "--yes")  # it tells the api what it found
    (output,) = stage.show(run)["outputs"]
    with stage.platform.http(stage.platform.token) as client:
        assert client.get(f"/services/{part}/health").status_code == 200
        layer = f"/services/maps/tiles/{output['collection']}/{output['item']}/field"
        client.get(f"{layer}/point.json?lon=15.003&lat=54.145").raise_for_status()
    measured = measure(stage.platform, part)
    assert MEASURED[part] <= measured.keys()
    assert all(measured[name] for name in MEASURED[part])
    if part == "worker":
        stores = {labels["store"] for _, labels in measured["skerry_objects_seconds"]}
        assert stores == {"folder"}


def test_addresses_that_nobody_listed_add_no_measurement(stage: Stage) -> None:
    with stage.platform.http(stage.platform.token) as client:
        before = {}
        for round_ in range(2):
            for number in range(10):
                name = f"name-{round_}-{number}"
                client.get(f"/services/api/stac/collections/{name}/items/{name}")
                client.get(f"/services/api/production/runs/{name}")
                client.get(f"/services/api/{name}/{name}")
                client.get(f"/services/maps/layers/{name}/tiles/0/0/0.png")
                client.get(f"/services/maps/{name}")
                client.get(f"/services/worker/{name}")
                client.get(f"/services/dashboards/runs/{name}")
            counted = {
                part: sum(map(len, measure(stage.platform, part).values()))
                for part in ("api", "maps", "worker", "dashboards")
            }
            assert not before or counted == before
            before = counted
