import dataclasses
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from skerry.cli.supervisor import child, owner
from skerry.cli.supervisor.credentials import SERVICES, Credentials, load_password, owner_name
from skerry.cli.supervisor.leftovers import end_leftovers, find_marked
from skerry.cli.supervisor.lock import hold_folder
from skerry.cli.supervisor.owner import OwnerLogin
from skerry.cli.supervisor.plan import PART_NAMES, Plan
from skerry.cli.supervisor.ports import InternalPorts, check_host, check_port
from skerry.cli.supervisor.record import GatewayRecord, PlatformRecord
from skerry.cli.supervisor.screen import Screen, Terminal
from skerry.cli.supervisor.watch import StopRequestedError, Supervisor
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.hub_settings import GatewaySettings, HubSettings
from skerry.storage.layout import DataFolder
from skerry.storage.locks import is_held
from skerry.storage.pid_files import same_process, write_pid_file
from skerry.storage.writing import write_aside


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    data.create()
    return data


@pytest.fixture
def plan(folder: DataFolder) -> Plan:
    return Plan(
        folder=folder,
        credentials=Credentials.load(folder),
        password=load_password(folder),
        ports=InternalPorts.choose(),
        public_url="http://127.0.0.1:8000",
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_credentials_are_made_once(folder: DataFolder) -> None:
    first = Credentials.load(folder)
    assert set(first.service_tokens) == set(SERVICES)
    assert len(set(first.service_tokens.values())) == len(SERVICES)
    assert Credentials.load(folder) == first
    assert load_password(folder) == load_password(folder)
    assert len(load_password(folder)) >= 16
    assert mode(folder.state / "secrets.json") == mode(folder.password) == 0o600


def test_credentials_of_an_older_skerry_get_what_is_new(folder: DataFolder) -> None:
    first = Credentials.load(folder)
    older = first.model_dump()
    del older["service_tokens"]["maps"]
    write_aside(folder.state / "secrets.json", json.dumps(older), private=True)
    completed = Credentials.load(folder)
    assert set(completed.service_tokens) == set(SERVICES)
    assert completed.service_tokens["api"] == first.service_tokens["api"]
    assert Credentials.load(folder) == completed


@given(st.text(max_size=60))
def test_owner_name_is_always_a_hub_name(login: str) -> None:
    name = owner_name(login)
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", name)
    assert name != "project-main"


@pytest.mark.parametrize(
    ("login", "name"),
    [("root", "root"), ("Ann.Lee", "ann-lee"), ("", "owner"), ("42", "owner"), ("æ", "owner")],
)
def test_owner_name_follows_the_login(login: str, name: str) -> None:
    assert owner_name(login) == name


def test_one_supervisor_holds_a_folder(folder: DataFolder) -> None:
    with hold_folder(folder):
        assert is_held(folder.lock)
        with pytest.raises(ConflictError, match=f"process {os.getpid()}") as refused:
            hold_folder(folder).__enter__()
        assert "skerry down" in refused.value.remedy
    assert not is_held(folder.lock)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.5"])
def test_loopback_hosts_are_taken(host: str) -> None:
    assert check_host(host).startswith("127.")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org", ""])
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(InvalidInputError, match="loopback"):
        check_host(host)


def test_taken_port_names_its_holder() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ConflictError, match=rf"Port {port} is taken by process {os.getpid()}"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_no_port_is_refused(port: int) -> None:
    with pytest.raises(InvalidInputError, match=str(port)):
        check_port("127.0.0.1", port)


def sleeper(environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )


def test_leftovers_end_by_pid_file_and_by_mark(folder: DataFolder) -> None:
    instance = "instance-of-this-test"
    recorded, marked = sleeper(), sleeper({"SKERRY_INSTANCE": instance, "SKERRY_PART": "gateway"})
    stranger = sleeper({"SKERRY_INSTANCE": "another"})
    try:
        write_pid_file(folder.pids / "worker.json", recorded.pid)
        assert [process.pid for process in find_marked(instance, part="gateway")] == [marked.pid]
        assert find_marked(instance, part="hub") == []
        assert end_leftovers(folder, instance) == 2
        assert not psutil.pid_exists(recorded.pid)
        assert not psutil.pid_exists(marked.pid)
        assert stranger.poll() is None
        assert not folder.pids.exists()
        assert end_leftovers(folder, instance) == 0
    finally:
        for process in (recorded, marked, stranger):
            process.kill()
            process.wait()


def test_a_pid_that_was_given_to_another_process_is_left_alone(folder: DataFolder) -> None:
    other = sleeper()
    try:
        created = psutil.Process(other.pid).create_time()
        pids = folder.run / "pids"
        pids.mkdir()
        (pids / "api.json").write_text(json.dumps({"pid": other.pid, "created": created - 100}))
        (pids / "proxy.pid").write_text(str(other.pid))
        assert end_leftovers(folder, "nobody") == 0
        assert other.poll() is None
        assert same_process(other.pid, created) is not None
    finally:
        other.kill()
        other.wait()


def test_record_survives_and_knows_whether_it_is_alive(folder: DataFolder) -> None:
    assert PlatformRecord.read(folder) is None
    record = PlatformRecord(
        pid=os.getpid(),
        created=psutil.Process().create_time(),
        url="http://127.0.0.1:8000",
        user="ann",
        gateway=GatewayRecord(address="http://127.0.0.1:8000/g", proxy_address="tls://127.0.0.1:1"),
        parts=[],
    )
    record.write(folder)
    assert PlatformRecord.read(folder) == record
    assert record.is_alive()
    assert not record.model_copy(update={"created": 1.0}).is_alive()
    PlatformRecord.path(folder).write_text("{")
    assert PlatformRecord.read(folder) is None


def test_each_part_knows_its_own_token_alone(plan: Plan) -> None:
    parts = plan.parts()
    assert tuple(part.name for part in parts) == PART_NAMES
    tokens = plan.credentials.service_tokens
    for part in parts:
        service = "dask-gateway" if part.name == "gateway" else part.name
        seen = {name for name, token in tokens.items() if token in part.environment.values()}
        measured = {"prometheus"} if part.name in ("api", "maps", "worker", "dashboards") else set()
        assert seen == (set() if part.name == "hub" else {service}) | measured
        assert plan.password not in part.environment.values()
        assert plan.credentials.proxy_token not in part.environment.values()
        assert part.environment["SKERRY_INSTANCE"] == plan.credentials.instance


def test_parts_do_not_inherit_another_identity(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_USER", "SKERRY_TOKEN", "DASK_GATEWAY__PUBLIC_ADDRESS", "JPY_X"):
        monkeypatch.setenv(name, "somebody")
    for part in plan.parts():
        assert "somebody" not in part.environment.values()


def test_whoever_reads_the_bucket_is_told_whom_to_trust(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "ca.pem")
    place = str(Path("ca.pem").absolute())
    for part in plan.parts():
        assert part.environment["AWS_CA_BUNDLE"] == place
    plan.write_settings()
    state = plan.folder.state
    hub = HubSettings.model_validate_json((state / "hub.json").read_bytes())
    gateway = GatewaySettings.model_validate_json((state / "gateway.json").read_bytes())
    assert hub.user_environment["AWS_CA_BUNDLE"] == place
    assert gateway.cluster_environment["AWS_CA_BUNDLE"] == place


def test_settings_files_say_what_the_configurations_read(plan: Plan) -> None:
    plan.write_settings()
    state = plan.folder.state
    hub = HubSettings.model_validate_json((state / "hub.json").read_bytes())
    gateway = GatewaySettings.model_validate_json((state / "gateway.json").read_bytes())
    assert mode(state / "hub.json") == mode(state / "gateway.json") == 0o600
    assert {service.name for service in hub.services} == set(SERVICES)
    addresses = {service.name: service.url for service in hub.services}
    assert addresses["dask-gateway"] == f"http://{gateway.api_address}"
    assert addresses["worker"] == f"http://127.0.0.1:{plan.ports.worker}"
    assert addresses["prometheus"] is None
    assert (state / "metrics-token").read_text() == plan.credentials.service_tokens["prometheus"]
    assert mode(state / "metrics-token") == 0o600
    assert hub.notebooks.is_dir()
    tokens = {*plan.credentials.service_tokens.values(), plan.password}
    assert not any(token in (state / "gateway.json").read_text() for token in tokens)


def test_the_platform_outlives_whoever_reads_its_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        terminal = Terminal(file=gone)
        terminal.print("nobody reads this")
        terminal.print("nor this")
        assert terminal.quiet
        with suppress(BrokenPipeError):
            gone.close()


def test_a_part_that_cannot_be_started_again_ends_no_other(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_FIRST_PAUSE_S", 0.0)
    shutil.rmtree(plan.folder.run)  # where it would start
    api = plan.parts()[1]
    supervisor = Supervisor(plan, [api], Screen(Console(quiet=True), ["api"]))
    rounds = iter(range(3))

    def end_after_three_rounds() -> None:
        if next(rounds, None) is None:
            raise StopRequestedError

    with pytest.raises(StopRequestedError):
        supervisor.watch([end_after_three_rounds])
    supervisor.stop()


def test_a_data_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    for path in (data.root, data.state, data.logs, data.run):
        path.mkdir()
        path.chmod(0o755)
    data.create()
    for path in (data.root, data.state, data.logs, data.run, data.objects):
        assert mode(path) == 0o700


class _TokenHub(BaseHTTPRequestHandler):
    """A hub that makes tokens for the owner and keeps count."""

    made: ClassVar[list[dict[str, Any]]] = []
    revoked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        old = {"id": "a1", "note": "skerry command line on this machine", "expires_at": None}
        self._answer({"api_tokens": [old, {"id": "a2", "note": "mine", "expires_at": None}]})

    def do_POST(self) -> None:
        self.made.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"token": f"token-{len(self.made)}"})

    def do_DELETE(self) -> None:
        self.revoked.append(self.path.rpartition("/")[2])
        self._answer({})

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet."""


def test_the_owner_s_token_is_renewed_before_it_ends(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = type("Hub", (_TokenHub,), {"made": [], "revoked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    ports = dataclasses.replace(plan.ports, hub=server.server_port)
    login = OwnerLogin(dataclasses.replace(plan, ports=ports))
    began = time.time()
    now = [began]
    monkeypatch.setattr(owner.time, "time", lambda: now[0])

    def read_token() -> str:
        return str(json.loads(plan.folder.owner.read_text())["token"])

    try:
        login.write()
        assert hub.made[0]["expires_in"] == 24 * 3600
        assert set(hub.revoked) == {"a1"}  # one without an end, of an older version
        for hours, token in ((0, 1), (11, 1), (13, 2), (24, 2), (26, 3), (-50, 4), (-49, 4)):
            now[0] = began + hours * 3600
            login.advance()
            assert read_token() == f"token-{token}", hours
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="cannot be made") as caught:
        DataFolder(tmp_path / "file" / "data").create()
    assert str(tmp_path / "file") in caught.value.what
    assert "--data" in caught.value.remedy
