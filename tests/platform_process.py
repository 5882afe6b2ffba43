"""A real platform in a process of its own, for tests: started as `skerry up`, used as users do."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.described_answers import DescribedAnswers

from skerry.cli.status import read_status
from skerry.cli.supervisor.credentials import Credentials
from skerry.core.measurements import TOKEN_VARIABLE
from skerry.storage.layout import DataFolder

PROGRAMS = ("/services/api", "/services/maps")
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP, each of which would else read all certificates of the machine."""
READY_LIMIT_S = 120.0
END_LIMIT_S = 30.0


class RunningPlatform:
    """A platform on a data folder of its own.

    Parameters
    ----------
    data
        The data folder; need not exist.
    port
        The public port; a free one if None.
    parts
        Start only these parts; all if None.
    extra_environment
        Variables for `skerry up` and what it starts.
    program
        The module that is `skerry`.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        parts: list[str] | None = None,
        extra_environment: dict[str, str] | None = None,
        program: str = "skerry.cli",
    ) -> None:
        self._program = [sys.executable, "-m", program]
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._extra = dict(extra_environment or {})
        if parts is not None:
            self._extra["SKERRY_PARTS"] = ",".join(parts)
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []
        self._described: dict[str, DescribedAnswers] = {}

    @property
    def pid(self) -> int:
        """Process id of `skerry up`."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What `skerry up` printed."""
        return (self.data.parent / f"{self.data.name}-up.log").read_text()

    @property
    def owner(self) -> dict[str, str]:
        """The owner's login as the CLI reads it."""
        return json.loads((self.data / "owner.json").read_text())

    @property
    def token(self) -> str:
        """The owner's own token."""
        return self.owner["token"]

    @property
    def user(self) -> str:
        """The owner's name."""
        return self.owner["user"]

    @property
    def password(self) -> str:
        """The owner's password."""
        return (self.data / "password").read_text().strip()

    @property
    def record(self) -> dict[str, Any]:
        """What the platform says about itself."""
        return json.loads((self.data / "run" / "platform.json").read_text())

    @property
    def env(self) -> dict[str, str]:
        """Environment for a CLI command or a notebook of the owner on this machine."""
        gateway = self.record["gateway"]
        return clean_environment() | {
            "SKERRY_DATA": str(self.data),
            "SKERRY_URL": self.url,
            "SKERRY_TOKEN": self.token,
            "JUPYTERHUB_API_TOKEN": self.token,
            "DASK_GATEWAY__ADDRESS": gateway["address"],
            "DASK_GATEWAY__PROXY_ADDRESS": gateway["proxy_address"],
            "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
        }

    def launch(self, *arguments: str) -> None:
        """Start `skerry up` and return at once."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        where = ["--data", str(self.data), "--port", str(self.port)]
        command = [*self._program, "up", *where, *arguments]
        with (self.data.parent / f"{self.data.name}-up.log").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=clean_environment() | self._extra,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self, *arguments: str) -> None:
        """Start `skerry up` and wait until every part answers, as `skerry status` asks them."""
        self.launch(*arguments)
        wait_until(self._answers, READY_LIMIT_S, "the platform is ready", self._explain)

    def stop(self) -> float:
        """End it as Ctrl-C does; return the seconds that took."""
        for client in self._clients:
            client.close()
        began = time.monotonic()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(END_LIMIT_S)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL `skerry up`, as a crash of the machine's session would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self, limit_s: float = END_LIMIT_S) -> int:
        """Wait for the end of `skerry up` and return its exit code."""
        assert self._process is not None
        return self._process.wait(limit_s)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `skerry` with this platform's data folder, as the owner on this machine."""
        environment = clean_environment() | {"SKERRY_DATA": str(self.data)}
        return subprocess.run(
            [*SKERRY, *arguments], env=environment, capture_output=True, text=True, check=check
        )

    def status(self) -> dict[str, Any]:
        """Return `skerry status --json`."""
        return json.loads(self.run("status", "--json", check=False).stdout)

    def log_text(self, part: str) -> str:
        """Return the log of a part."""
        return (self.data / "logs" / f"{part}.log").read_text(errors="replace")

    def part_pids(self) -> dict[str, int]:
        """Return the process id of each part."""
        return {
            path.stem: json.loads(path.read_text())["pid"]
            for path in (self.data / "run" / "pids").glob("*.json")
            if not path.stem.startswith("attempt-")
        }

    def environment_of(self, part: str) -> dict[str, str]:
        """Return with which environment a part was started; the system hides its secrets."""
        shown = psutil.Process(self.part_pids()[part]).environ()
        tokens = Credentials.load(DataFolder(self.data)).service_tokens
        own = {"JUPYTERHUB_API_TOKEN": tokens[part], TOKEN_VARIABLE: tokens["prometheus"]}
        hidden = {name: value for name, value in self._extra.items() if name in shown}
        return shown | own | hidden

    def routes(self) -> dict[str, Any]:
        """Return the proxy's routing table: path prefix to target."""
        hub = json.loads((self.data / "state" / "hub.json").read_text())
        answer = httpx.get(
            f"{hub['proxy_api_url']}/api/routes",
            headers={"Authorization": f"token {hub['proxy_token']}"},
            trust_env=False,
            verify=NO_CERTIFICATES,
        )
        return answer.raise_for_status().json()

    def http(self, token: str | None = None, **options: Any) -> httpx.Client:
        """Return an HTTP client of the public address, anonymous unless a token is given.

        It is closed with the platform at the latest.
        """
        headers = {"Authorization": f"token {token}"} if token else {}
        client = httpx.Client(
            base_url=self.url, headers=headers, trust_env=False, timeout=30.0,
            verify=NO_CERTIFICATES,
            event_hooks={"response": [self.check_described]}, **options,
        )  # fmt: skip
        self._clients.append(client)
        return client

    def check_described(self, answer: httpx.Response) -> None:
        """Compare a successful answer of api or maps with their OpenAPI documents."""
        program = next(
            (name for name in PROGRAMS if answer.request.url.path.startswith(name)), None
        )
        if program is None or not answer.is_success:
            return
        if program not in self._described:
            document = httpx.get(f"{self.url}{program}/openapi.json", trust_env=False, timeout=30.0)
            self._described[program] = DescribedAnswers(document.raise_for_status().json())
        self._described[program].check(answer)

    def log_in(self, user: str, password: str) -> httpx.Client:
        """Return a client that has sent the login form, whether or not that let it in."""
        client = self.http(follow_redirects=True)
        client.get("/hub/login")
        form = {"username": user, "password": password, "_xsrf": client.cookies["_xsrf"]}
        # Where it leads next is the hub's start page, which would start a JupyterLab.
        client.post("/hub/login", data=form, follow_redirects=False)
        return client

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._explain()
        record = self.data / "run" / "platform.json"
        try:
            if not json.loads(record.read_text())["ready"]:
                return False
        except (OSError, ValueError):
            return False
        return read_status(DataFolder(self.data)).ready

    def _explain(self) -> str:
        logs = {path.name: path.read_text()[-2000:] for path in self.data.glob("logs/*.log")}
        return "\n".join([self.output, *(f"== {name}\n{text}" for name, text in logs.items())])


SKERRY = [sys.executable, "-m", "skerry.cli"]


def start_platform(
    data: Path,
    *,
    port: int | None = None,
    parts: list[str] | None = None,
    extra_environment: dict[str, str] | None = None,
    program: str = "skerry.cli",
) -> RunningPlatform:
    """Start a platform and return it when it is ready; the caller stops it."""
    platform = RunningPlatform(
        data, port=port, parts=parts, extra_environment=extra_environment, program=program
    )
    try:
        platform.start()
    except BaseException:
        platform.stop()
        raise
    return platform


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anything that names another platform."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SKERRY_", "JUPYTERHUB_", "DASK_GATEWAY__", "PYTEST_"))
    }


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    condition: Callable[[], bool],
    limit_s: float,
    what: str,
    explain: Callable[[], str] = lambda: "",
    *,
    every_s: float = 0.1,
) -> None:
    """Poll until `condition` holds; fail with `what` and an explanation after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}\n{explain()}"
        time.sleep(every_s)
