"""A real hub with Skerry's configuration; its servers are pods of a real API server.

There are no nodes: a pod waits until a test says, as a node would, what became of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import yaml
from tests.cluster_hub import describe_hub
from tests.kubernetes.node import patch_object
from tests.kubernetes.server import KubernetesServer
from tests.platform_process import clean_environment, free_port, wait_until

from skerry.cli.supervisor.proxy_program import find_proxy_command

_SCIENTIST = "role:scientist"
PEOPLE = {
    "ann": ["lakes", _SCIENTIST], "zoe": ["lakes", _SCIENTIST], "bob": ["glaciers", _SCIENTIST],
    "eve": [],
}  # fmt: skip
PASSWORD = "a long password of everybody"
_DESK = "token-of-the-desk-that-makes-tokens"
_RIGHTS = Path(__file__).parents[2] / "helm" / "skerry" / "templates" / "hub-rights.yaml"
_CONFIGURATION = Path(__file__).with_name("hub_config.py")
_IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$0" "$@"')
"""A shell starts programs so in the background: they ignore SIGINT, as do their own programs."""
_NOW = "2026-01-01T00:00:00Z"


@dataclass
class ClusterHub:
    """A running hub, and the cluster that it starts servers in."""

    kubernetes: KubernetesServer
    namespace: str
    url: str
    hub_url: str
    server_port: int
    log: Path
    variables: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the hub, and wait until it and its proxy answer."""
        with self.log.open("ab") as output:
            process = self._process = subprocess.Popen(
                [*_IN_BACKGROUND, sys.executable, "-m", "jupyterhub", "-f", str(_CONFIGURATION)],
                env=clean_environment() | self.variables, cwd=self.log.parent, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        public = self.url.replace("skerry.localhost", "127.0.0.1")  # the proxy, with its routes
        wait_until(
            lambda: _answers((self.hub_url, public), process, self.explain),
            120,
            "the hub answers",
            self.explain,
        )

    def stop(self) -> None:
        """End the hub; servers and proxy stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)  # a pod has 30 s

    @property
    def host(self) -> str:
        """The public host and port."""
        return urlsplit(self.url).netloc

    def ask(
        self, method: str, path: str, name: str | None = None, **content: Any
    ) -> httpx.Response:
        """Ask the hub's API as a person with a token of their own, or as the desk."""
        token = self.mint(name) if name else _DESK
        return httpx.request(
            method, f"{self.hub_url}/hub/api/{path}", trust_env=False, timeout=60,
            headers={"Authorization": f"token {token}"}, **content,
        )  # fmt: skip

    def mint(self, name: str) -> str:
        """Return a new token of a person, with all that they may do."""
        answer = self.ask("POST", f"users/{name}/tokens", json={"expires_in": 600})
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def list_pods(self) -> list[dict[str, Any]]:
        """Return the pods of the namespace, as the API server has accepted them."""
        with self.kubernetes.log_in() as owner:
            answer = owner.get(f"/api/v1/namespaces/{self.namespace}/pods").raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def find_pod(self, name: str) -> dict[str, Any]:
        """Wait for a person's pod and return it."""
        label = "hub.jupyter.org/username"

        def search() -> list[dict[str, Any]]:
            return [pod for pod in self.list_pods() if pod["metadata"]["labels"][label] == name]

        wait_until(lambda: bool(search()), 60, f"the pod of {name}", self.explain)
        return search()[0]

    def say(self, pod: dict[str, Any], phase: str, state: dict[str, Any], **told: Any) -> None:
        """Tell the API server what a node would tell of a pod."""
        container = {
            "name": "notebook", "image": "any", "imageID": "", "ready": phase == "Running",
            "restartCount": 0, "state": state,
        }  # fmt: skip
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
        status = {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": [container], **told}
        with self.kubernetes.log_in() as owner:
            patch_object(owner, path, {"status": status})

    def run(self, pod: dict[str, Any]) -> None:
        """Say that a pod is at work."""
        self.say(pod, "Running", {"running": {"startedAt": _NOW}})

    def end(self, pod: dict[str, Any], reason: str, code: int = 137) -> None:
        """Say that a pod's container has ended."""
        ended = {"exitCode": code, "reason": reason, "startedAt": _NOW, "finishedAt": _NOW}
        self.say(pod, "Failed", {"terminated": ended})

    def explain(self) -> str:
        """Return the end of the hub's log."""
        return self.log.read_text()[-4000:]

    def log_in(self, name: str) -> "Visitor":
        """Log a person in with the password."""
        visitor = Visitor(self)
        page = visitor.open("/hub/login")
        form = {"username": name, "password": PASSWORD, "_xsrf": visitor.cookies["_xsrf"]}
        answer = visitor.open("/hub/login?next=/hub/home", form)
        assert answer.status_code == 302, (page.text, answer.text)
        return visitor


class Visitor:
    """A browser's cookies for the hub's host: httpx sends those for TLS over TLS alone."""

    def __init__(self, hub: ClusterHub) -> None:
        self._hub = hub
        self.cookies: dict[str, str] = {}

    def open(self, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        """Ask for a page, or send a form."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = urlsplit(self._hub.url)
        answer = httpx.request(
            "GET" if form is None else "POST",
            f"http://127.0.0.1:{address.port}{path}",
            headers={
                "Host": address.netloc, "Cookie": cookies, "Origin": self._hub.url,
                "Referer": f"{self._hub.url}/hub/login", "Sec-Fetch-Site": "same-origin",
                "Sec-Fetch-Mode": "navigate",
            },
            data=form, trust_env=False, timeout=60,
        )  # fmt: skip
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


@contextmanager
def serve_cluster_hub(
    kubernetes: KubernetesServer, namespace: str, folder: Path, **changes: Any
) -> Iterator[Any]:
    """Run the hub in a folder until the block ends, with the rights that the chart gives it.

    Parameters
    ----------
    changes
        Of the settings of `tests.cluster_hub.describe_hub`.
    """
    hub = ClusterHub(
        kubernetes, namespace, f"http://skerry.localhost:{free_port()}",
        f"http://127.0.0.1:{free_port()}", free_port(), folder / "hub.log",
    )  # fmt: skip
    hub.variables = _prepare(hub, folder, changes)
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()
        _end_proxy(folder / "proxy.pid")


@contextmanager
def working(hub: ClusterHub, pod: dict[str, Any], folder: Path) -> Iterator[None]:
    """Run what a pod's container runs, with its variables, as a process of this machine."""
    [container] = pod["spec"]["containers"]
    variables = {one["name"]: one.get("value", "") for one in container["env"]}
    variables |= {"HOME": str(folder), "PATH": os.defpath}
    command = [sys.executable, *container["args"][1:]]
    if os.geteuid() == 0:
        command.append("--allow-root")  # this machine's container
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        hub.run(pod)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _end_proxy(record: Path) -> None:
    """End the proxy, which a hub that leaves servers at work leaves, too."""
    if record.is_file():
        with suppress(psutil.NoSuchProcess):
            proxy = psutil.Process(int(record.read_text()))
            proxy.kill()
            proxy.wait(10)


def _prepare(hub: ClusterHub, folder: Path, changes: dict[str, Any]) -> dict[str, str]:
    """Make the hub's account and what it needs in the cluster; return the hub's variables."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    path = f"/api/v1/namespaces/{hub.namespace}"
    hub.kubernetes.change(path, {"metadata": {"labels": enforced}})
    hub.kubernetes.create_account(hub.namespace, "default")
    token = hub.kubernetes.create_account(hub.namespace, "hub")
    _bind(hub, read_rules())
    hub.kubernetes.create(
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        {"metadata": {"name": hub.namespace}, "value": 100},
    )
    settings = describe_hub(
        publicUrl=hub.url, userDomain="people.localhost", priorityClass=hub.namespace,
        internalUrl=None, **changes,
    )  # fmt: skip
    (folder / "hub.json").write_text(json.dumps(settings))
    tokens = folder / "tokens"
    tokens.mkdir()
    for service in settings["services"]:
        (tokens / service["name"]).write_text(f"token-of-{service['name']}-x")
    team = {
        "url": hub.url.replace("skerry.localhost", "127.0.0.1"), "hub_url": hub.hub_url,
        "proxy_url": f"http://127.0.0.1:{free_port()}", "proxy_command": find_proxy_command(),
        "folder": str(folder), "namespace": hub.namespace, "password": PASSWORD,
        "people": [*PEOPLE], "desk": _DESK, "server_port": hub.server_port,
        "groups": {
            group: [name for name, groups in PEOPLE.items() if group in groups]
            for group in ("lakes", "glaciers", _SCIENTIST)
        },
    }  # fmt: skip
    return {
        "TEAM": json.dumps(team),
        "SKERRY_HUB_SETTINGS": str(folder / "hub.json"),
        "SKERRY_HUB_TOKENS": str(tokens),
        "KUBECONFIG": str(hub.kubernetes.write_config("hub", token, hub.namespace)),
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
    }


def read_rules() -> list[dict[str, Any]]:
    """Return what the chart lets the hub do in its namespace."""
    lines = _RIGHTS.read_text().splitlines()
    rules = [line for line in lines if line.startswith("  - {apiGroups")]
    found: list[dict[str, Any]] = yaml.safe_load("\n".join(rules))
    assert len(found) >= 3
    return found


def _bind(hub: ClusterHub, rules: list[dict[str, Any]]) -> None:
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{hub.namespace}"
    named = {"metadata": {"name": "hub"}}
    hub.kubernetes.create(f"{rights}/roles", {**named, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hub"}
    account = {"kind": "ServiceAccount", "name": "hub", "namespace": hub.namespace}
    hub.kubernetes.create(
        f"{rights}/rolebindings", {**named, "roleRef": role, "subjects": [account]}
    )


def _answers(
    urls: tuple[str, ...], process: subprocess.Popen[bytes], explain: Callable[[], str]
) -> bool:
    assert process.poll() is None, explain()
    try:
        return all(httpx.get(f"{url}/hub/health", trust_env=False).is_success for url in urls)
    except httpx.TransportError:
        return False
