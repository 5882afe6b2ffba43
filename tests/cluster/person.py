"""A person at a browser: logs in, starts a server, runs code in a kernel of it, asks the api."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import websocket
from tests.cluster.door import Door
from tests.platform_process import wait_until

_START_S = 300.0
_CELL_S = 240.0


@dataclass
class Person:
    """Somebody who has logged in.

    Attributes
    ----------
    url
        The public address.
    name
        Their account.
    browser
        A client with their cookies.
    token
        Their token of the hub.
    door
        The way to the platform's names.
    home
        The address of the host of their server; the public one if empty.
    """

    url: str
    name: str
    browser: httpx.Client
    token: str = ""
    door: Door = field(default_factory=Door)
    home: str = ""

    def create_token(self) -> None:
        """Make a token on the hub's own page, for what follows."""
        page = f"/hub/api/users/{self.name}/tokens"
        marker = {"X-XSRFToken": self._find_xsrf("/hub/"), "Referer": f"{self.url}/hub/token"}
        answer = self.browser.post(page, json={"note": "road", "expires_in": 7200}, headers=marker)
        assert answer.is_success, answer.text
        self.token = answer.json()["token"]

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Ask the api, or another part by its whole path; return its JSON."""
        answer = self.send(method, path, **content)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request with the person's token."""
        whole = path if path.startswith(("/services/", "/hub/")) else f"/services/api{path}"
        return self._send(method, f"{self.url}{whole}", **content)

    def send_home(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request with the person's token to the host of their server."""
        return self._send(method, f"{self.home or self.url}{path}", **content)

    def _send(self, method: str, url: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        with self.door.client() as client:
            return client.request(method, url, headers=headers, **content)

    def start_server(self) -> None:
        """Start the person's server with the first profile, and wait until it answers."""
        answer = self.send("POST", f"/hub/api/users/{self.name}/server", json={})
        assert answer.status_code in (201, 202), answer.text
        wait_until(self._has_server, _START_S, "the server is ready", self._tell_progress)

    def stop_server(self) -> None:
        """End the person's server."""
        self.send("DELETE", f"/hub/api/users/{self.name}/server")

    def has_servers(self) -> bool:
        """Return whether a server of theirs is there, be it starting or ending."""
        return bool(self.ask("GET", f"/hub/api/users/{self.name}").get("servers"))

    def run_code(self, source: str) -> str:
        """Execute a cell in a new kernel of the person's server; return what it prints.

        Raises
        ------
        AssertionError
            If the cell fails; it shows the cell's own words.
        """
        with self._kernel() as channel:
            message = uuid.uuid4().hex
            content = {"code": source, "silent": False, "store_history": False,
                       "user_expressions": {}, "allow_stdin": False}  # fmt: skip
            header = {"msg_id": message, "msg_type": "execute_request", "username": self.name,
                      "session": uuid.uuid4().hex, "version": "5.3"}  # fmt: skip
            channel.send(json.dumps({
                "header": header, "parent_header": {}, "metadata": {}, "content": content,
                "channel": "shell", "buffers": [],
            }))  # fmt: skip
            return _collect_output(channel, message)

    def _has_server(self) -> bool:
        model = self.ask("GET", f"/hub/api/users/{self.name}")
        servers = model.get("servers") or {}
        return bool(servers.get("", {}).get("ready"))

    def _tell_progress(self) -> str:
        return json.dumps(self.ask("GET", f"/hub/api/users/{self.name}"), indent=1)

    @contextmanager
    def _kernel(self) -> Iterator[websocket.WebSocket]:
        kernels = f"/user/{self.name}/api/kernels"
        made = self.send_home("POST", kernels, json={"name": "python3"})
        assert made.status_code == 201, made.text
        place = f"{kernels}/{made.json()['id']}"
        url = f"{self.home or self.url}{place}/channels".replace("http", "ws", 1)
        channel = websocket.create_connection(
            url, header=[f"Authorization: token {self.token}"], timeout=_CELL_S,
            socket=self.door.connect(url),
        )  # fmt: skip
        try:
            yield channel
        finally:
            channel.close()
            self.send_home("DELETE", place)

    def _find_xsrf(self, path: str) -> str:
        return next(
            str(cookie.value)
            for cookie in self.browser.cookies.jar
            if cookie.name == "_xsrf" and cookie.path == path
        )


def log_in(url: str, name: str, password: str) -> Person:
    """Open the login page, send the form, and make a token."""
    door = Door()
    browser = httpx.Client(
        base_url=url, transport=door.transport(), timeout=60, follow_redirects=True
    )
    page = browser.get("/hub/login")
    assert page.is_success, page.text
    form = {"username": name, "password": password, "_xsrf": browser.cookies["_xsrf"]}
    answer = browser.post("/hub/login", data=form, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    browser.get("/hub/token").raise_for_status()
    person = Person(url, name, browser, door=door)
    person.create_token()
    return person


def _collect_output(channel: websocket.WebSocket, message: str) -> str:
    printed: list[str] = []
    while True:
        told = json.loads(channel.recv())
        if told["parent_header"].get("msg_id") != message:
            continue
        kind, content = told["msg_type"], told["content"]
        if kind == "stream" and content["name"] == "stdout":
            printed.append(content["text"])
        elif kind == "error":
            raise AssertionError("\n".join([*printed, *content["traceback"]]))
        elif kind == "status" and content["execution_state"] == "idle":
            return "".join(printed)
