"""A real hub of many people, with its proxy, on PostgreSQL; their servers are simulated."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from tests.cluster_hub import describe_hub
from tests.platform_process import clean_environment, free_port, wait_until
from tests.postgresql_server import PostgresqlServer

from skerry.cli.supervisor.proxy_program import find_proxy_command

PASSWORD = "a long password of everybody"
DESK = "token-of-the-desk-that-makes-tokens"
_CONFIGURATION = Path(__file__).with_name("hub_config.py")
_ROOT = Path(__file__).parents[2]
_PROJECT = 50
"""How many people share a project."""
_READY_S = 600
"""Seconds in which the hub must answer: at its first start it makes a record of each person."""


@dataclass(frozen=True)
class ManyHub:
    """A running hub.

    Attributes
    ----------
    url, hub_url
        Its public address, and where its parts reach it.
    people
        Who may log in.
    processes
        Name to process of the hub, its proxy and the program above.
    folder
        Its files.
    database
        The address of its database.
    """

    url: str
    hub_url: str
    people: list[str]
    processes: dict[str, int]
    folder: Path
    database: str

    @property
    def port(self) -> int:
        """The public port."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def mint(self, names: Iterable[str]) -> list[str]:
        """Return a new token of each person, with all that they may do."""
        headers = {"Authorization": f"token {DESK}"}
        tokens = []
        with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
            for name in names:
                path = f"{self.hub_url}/hub/api/users/{name}/tokens"
                answer = client.post(path, json={"expires_in": 3600}).raise_for_status()
                tokens.append(answer.json()["token"])
        return tokens

    def count_checks(self) -> int:
        """Return how many tokens the hub has been asked about."""
        text = httpx.get(f"{self.hub_url}/hub/metrics", trust_env=False, timeout=60).text
        lines = [
            line for line in text.splitlines()
            if line.startswith("jupyterhub_request_duration_seconds_count")
            and "SelfAPIHandler" in line
        ]  # fmt: skip
        return int(sum(float(line.rpartition(" ")[2]) for line in lines))

    def explain(self) -> str:
        """Return the end of the hub's log."""
        return (self.folder / "hub.log").read_text()[-4000:]


@contextmanager
def serve_many_hub(postgresql: PostgresqlServer, folder: Path, count: int) -> Iterator[ManyHub]:
    """Run a hub for `count` people in a folder until the block ends."""
    people = [f"person-{number:04d}" for number in range(count)]
    url = f"http://skerry.localhost:{free_port()}"
    hub_url, answering = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.database("template0"))
        variables = _prepare(folder, people, url, hub_url, answering, database)
        start = _Starter(stack, folder, variables)
        port = answering.rpartition(":")[2]
        servers = start("servers", "-m", "tests.scale.answering", port, url, f"{hub_url}/hub/api")
        hub = start("hub", "-m", "jupyterhub", "-f", str(_CONFIGURATION))
        public = url.replace("skerry.localhost", "127.0.0.1")

        def explain() -> str:
            return (folder / "hub.log").read_text()[-4000:]

        wait_until(lambda: _answers(hub, hub_url, public), _READY_S, "the hub answers", explain)
        proxy = int((folder / "proxy.pid").read_text())
        stack.callback(_end, proxy)
        processes = {"hub": hub.pid, "proxy": proxy, "servers": servers.pid}
        yield ManyHub(url, hub_url, people, processes, folder, database)


class _Starter:
    """Starts programs that end with the block."""

    def __init__(self, stack: ExitStack, folder: Path, variables: dict[str, str]) -> None:
        self._stack, self._folder, self._variables = stack, folder, variables

    def __call__(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command], env=clean_environment() | self._variables,
                cwd=self._folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._stack.callback(_end_program, process)
        return process


def _prepare(
    folder: Path, people: list[str], url: str, hub_url: str, answering: str, database: str
) -> dict[str, str]:
    """Write what the hub reads; return its variables."""
    settings = describe_hub(
        publicUrl=url, userDomain="people.localhost", internalUrl=None, priorityClass=None
    )
    for service in settings["services"]:  # at its start the hub waits until they answer
        if "url" in service:
            service["url"] = answering
    (folder / "hub.json").write_text(json.dumps(settings))
    (folder / "tokens").mkdir()
    for service in settings["services"]:
        (folder / "tokens" / service["name"]).write_text(f"token-of-{service['name']}-x")
    nowhere = {
        "apiVersion": "v1", "kind": "Config", "current-context": "none",
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        "users": [{"name": "none", "user": {}}],
    }  # fmt: skip
    (folder / "kubeconfig").write_text(json.dumps(nowhere))
    groups = {
        f"project-{number // _PROJECT}": people[number : number + _PROJECT]
        for number in range(0, len(people), _PROJECT)
    }
    team = {
        "url": url.replace("skerry.localhost", "127.0.0.1"), "hub_url": hub_url,
        "proxy_url": f"http://127.0.0.1:{free_port()}", "proxy_command": find_proxy_command(),
        "folder": str(folder), "namespace": "scale", "password": PASSWORD, "people": people,
        "desk": DESK,
        "groups": groups | {"role:scientist": people},
        "database": database.replace("postgresql://", "postgresql+psycopg://"),
    }  # fmt: skip
    return {
        "TEAM": json.dumps(team), "SCALE_SERVERS": answering,
        "SKERRY_HUB_SETTINGS": str(folder / "hub.json"),
        "SKERRY_HUB_TOKENS": str(folder / "tokens"),
        "KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder), "PYTHONPATH": str(_ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
    }  # fmt: skip


def _answers(hub: subprocess.Popen[bytes], *urls: str) -> bool:
    assert hub.poll() is None, "the hub has ended"
    try:
        return all(httpx.get(f"{url}/hub/health", trust_env=False).is_success for url in urls)
    except httpx.TransportError:
        return False


def _end_program(process: subprocess.Popen[bytes]) -> None:
    """End a program in order; with very many people a hub takes long, and nothing is lost then."""
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end(pid: int) -> None:
    """End the proxy, which a hub that leaves servers at work leaves, too."""
    with suppress(psutil.NoSuchProcess):
        proxy = psutil.Process(pid)
        proxy.kill()
        proxy.wait(10)
