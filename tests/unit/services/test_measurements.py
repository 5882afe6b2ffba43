"""What programs say of themselves: measurements, readiness, the identifier of each request."""

import logging
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asgi_correlation_id import correlation_id
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from tests.fresh_database import fill_database
from tests.postgresql_server import PostgresqlServer
from tests.served_api import (
    ServedApi,
    bind_free_port,
    make_hub_access,
    serve_api,
    serve_in_thread,
)

from skerry.core.logs import configure_logs
from skerry.core.measurements import Measurements, Sample
from skerry.core.request_ids import working_on
from skerry.core.settings import DATABASE_VARIABLE, MAPS_PREFIX, WORKER_PREFIX, ServiceSettings
from skerry.production.executors.local import LocalExecutor
from skerry.production.workers import WorkerBook
from skerry.services.maps import create_maps
from skerry.services.worker_signs import create_worker_signs
from skerry.storage.database import (
    database_url,
    find_database,
    open_database,
    using_database,
)
from skerry.storage.layout import DataFolder

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_numbers(client: httpx.Client) -> Numbers:
    answer = client.get("metrics")
    answer.raise_for_status()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def count_requests(numbers: Numbers, **labels: str) -> float:
    return numbers.get(("skerry_request_seconds_count", tuple(sorted(labels.items()))), 0)


def test_requests_are_counted_by_the_pattern_of_their_address(alice: httpx.Client) -> None:
    secret = "a-name-that-nobody-should-read"
    before = read_numbers(alice)
    assert alice.get(f"stac/collections/{secret}").status_code == 404
    assert alice.get("no/such/address").status_code == 404
    after = read_numbers(alice)
    route = "/stac/collections/{collection_id}"
    names = {"method": "GET", "route": route, "status": "404"}
    assert count_requests(after, **names) == count_requests(before, **names) + 1
    nowhere = {"method": "GET", "route": "none", "status": "404"}
    assert count_requests(after, **nowhere) == count_requests(before, **nowhere) + 1
    assert secret not in alice.get("metrics").text


def test_statements_runs_disk_and_worker_are_measured(api: ServedApi, alice: httpx.Client) -> None:
    alice.get("production/runs").raise_for_status()
    numbers = read_numbers(alice)
    assert numbers["skerry_database_seconds_count", (("kind", "select"),)] > 0
    assert numbers["skerry_runs", (("status", "queued"),)] == 0
    assert numbers["skerry_queue_seconds", ()] == 0
    free = shutil.disk_usage(api.data.root).free
    assert numbers["skerry_disk_bytes", (("part", "free"),)] == pytest.approx(free, rel=0.2)
    assert numbers["skerry_worker_silence_seconds", (("worker", "worker"),)] == float("inf")
    (api.data.run / "worker.ready").touch()
    assert read_numbers(alice)["skerry_worker_silence_seconds", (("worker", "worker"),)] < 100


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("reader-token", 403)])
def test_measurements_are_not_for_everybody(api: ServedApi, token: str | None, status: int) -> None:
    with api.client(token) as client:
        assert client.get("metrics").status_code == status


def test_a_worker_and_its_rounds_are_measured_while_hub_and_database_are_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_METRICS_TOKEN", "of-prometheus")
    measurements = Measurements()
    measurements.time("skerry_round_seconds", "Rounds").labels("done").observe(0.2)
    listening, url = bind_free_port()
    settings = ServiceSettings(data=tmp_path / "nowhere", public_url=url, port=1)
    executor = LocalExecutor(DataFolder(tmp_path / "nowhere"))
    app = create_worker_signs(settings, measurements, executor, hub=make_hub_access("worker"))
    address = f"{url}{WORKER_PREFIX}/metrics"
    with serve_in_thread(app, listening):
        answer = httpx.get(address, headers={"Authorization": "Bearer of-prometheus"})
        other = httpx.get(address, headers={"Authorization": "Bearer of-somebody"})
        stranger = httpx.get(address)
        ready = httpx.get(f"{url}{WORKER_PREFIX}/ready")
    assert 'skerry_round_seconds_count{outcome="done"} 1.0' in answer.text
    assert "process_cpu_seconds_total" in answer.text
    assert other.status_code == 503, "there is no hub that knows it"
    assert stranger.status_code == 401
    missing = ready.json()["missing"]
    assert set(missing) == {"database", "objects", "rounds"}
    assert set(ready.json()["limited"]) == {"hub"}
    assert missing["rounds"] == "The worker has not ended a round yet."


@pytest.mark.postgresql
def test_an_api_on_another_machine_sees_the_workers(
    postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        with using_database(find_database(DataFolder(tmp_path))) as engine:
            WorkerBook(engine, "worker-elsewhere").look()
        with serve_api(tmp_path / "here") as api, api.client("alice-token") as client:
            numbers = read_numbers(client)
            health = client.get("platform/health").json()
        assert numbers["skerry_worker_silence_seconds", (("worker", "worker-elsewhere"),)] < 100
        assert health["worker"] is True
        assert [sign["name"] for sign in health["workers"]] == ["worker-elsewhere"]


def test_without_the_hub_it_is_ready_for_what_is_public(
    api: ServedApi, anonymous: httpx.Client
) -> None:
    answer = anonymous.get("ready")  # these tests have no hub
    assert answer.status_code == 200
    hub = {"hub": "The hub does not answer."}
    assert answer.json() == {"ready": True, "missing": {}, "limited": hub}
    assert anonymous.get("stac/").status_code == 200


def test_ready_sees_an_older_database_and_a_lost_object_store(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    fill_database(data)
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    engine.dispose()
    shutil.rmtree(data.objects)
    listening, url = bind_free_port()
    settings = ServiceSettings(data=data.root, public_url=url, port=1)
    with serve_in_thread(create_maps(settings, hub=make_hub_access("maps")), listening):
        answer = httpx.get(f"{url}{MAPS_PREFIX}/ready", trust_env=False)
    assert answer.status_code == 503
    missing = answer.json()["missing"]
    assert re.fullmatch(
        r"The database has schema 0003, this Skerry has \d{4}\.", missing["database"]
    )
    assert missing["objects"] == "The object store cannot be read."
    assert str(tmp_path) not in answer.text


def test_every_answer_names_its_request(alice: httpx.Client) -> None:
    first, second = (alice.get("health").headers["x-request-id"] for _ in range(2))
    assert first != second
    own = "0a" * 16
    assert alice.get("health", headers={"X-Request-ID": own}).headers["x-request-id"] == own


@pytest.mark.parametrize(
    "sent", ["x\ty", "-" * 20_000 + "0a" * 16, "{" + "0a" * 16 + "}", "0_" * 16]
)
def test_a_wrong_identifier_of_a_request_is_replaced(
    sent: str, alice: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = alice.get("health", headers={"X-Request-ID": sent})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert not caplog.records


def test_methods_that_clients_invent_share_one_label(alice: httpx.Client) -> None:
    before = read_numbers(alice)
    for method in ("TRACE", "PROPFIND", "LOCK"):
        assert alice.request(method, "health").status_code == 405
    after = read_numbers(alice)
    methods = {dict(labels)["method"] for _, labels in after if "method" in dict(labels)}
    assert methods <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
    named = {"method": "other", "route": "/health", "status": "405"}
    assert count_requests(after, **named) == count_requests(before, **named) + 3


@pytest.fixture
def _own_logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("_own_logs")
@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_name_the_request(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKERRY_LOG_FORMAT", form)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    configure_logs(read_request=correlation_id.get)
    token = correlation_id.set("abc")
    logging.getLogger("skerry.test").warning("Something %s", "odd")
    correlation_id.reset(token)
    lines = capsys.readouterr().err
    if form == "text":
        assert lines == "WARNING skerry.test: Something odd (request abc)\n"
    else:
        line = httpx.Response(200, text=lines).json()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line.pop("time"))
        assert line == {
            "level": "WARNING", "logger": "skerry.test", "message": "Something odd",
            "request": "abc",
        }  # fmt: skip


@pytest.mark.usefixtures("_own_logs")
@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_about_a_run_name_it_and_its_request(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKERRY_LOG_FORMAT", form)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    configure_logs()
    log = logging.getLogger("skerry.test")
    with working_on("r1", "abc"):
        log.info("Begins")
    with working_on("r2", None):
        log.info("Begins")
    log.info("Idle")
    monkeypatch.setenv("SKERRY_RUN", "r3")
    monkeypatch.setenv("SKERRY_REQUEST", "def")
    log.info("Works")
    lines = capsys.readouterr().err.splitlines()
    named = [("r1", "abc"), ("r2", None), (None, None), ("r3", "def")]
    if form == "text":
        assert [line.partition(": ")[2] for line in lines] == [
            "Begins (run r1, request abc)", "Begins (run r2)", "Idle",
            "Works (run r3, request def)",
        ]  # fmt: skip
    else:
        entries = [httpx.Response(200, text=line).json() for line in lines]
        assert [(entry.get("run"), entry["request"]) for entry in entries] == named


@pytest.mark.usefixtures("_own_logs")
def test_a_line_feed_in_a_name_writes_no_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    configure_logs()
    logging.getLogger("skerry.test").warning("No item %s", "a\r\n2026-05-01T10:30:00Z ERROR lost")
    first, second = capsys.readouterr().err.splitlines()
    assert first == "WARNING skerry.test: No item a\\r"
    assert second.startswith(" 2026")  # belongs to the line before


def test_the_others_are_measured_while_the_database_is_away() -> None:
    def fail() -> list[Sample]:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    measurements = Measurements()
    measurements.watch("skerry_lost", "Lost", fail)
    measurements.watch("skerry_kept", "Kept", lambda: [({}, 3.0)])
    text = generate_latest(measurements.registry).decode()
    assert "skerry_kept 3.0" in text
    assert "skerry_lost " in text  # its description alone
    assert not any(line.startswith("skerry_lost") for line in text.splitlines())
