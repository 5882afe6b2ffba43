"""A real JupyterHub with Skerry's configuration and several people, some of them in a group."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.platform_process import clean_environment, free_port, wait_until

import skerry
from skerry.cli.supervisor.proxy_program import find_proxy_command
from skerry.core.hub_settings import HubService, HubSettings

OWNER = "olga"
PEOPLE = ("ann", "zoe", "bob", "eve")
SCIENTISTS = ("kim", "lee")
"""People who look after nothing on the platform."""
GROUPS = {"lakes": ["ann", "zoe"]}
ROLES = ("skerry-scientist", "skerry-reviewer", "skerry-operator")
_DESK = "token-of-the-desk-that-makes-tokens"
TWIN = "token-of-a-service-that-is-called-ann"
WORKER = "token-of-the-worker-of-this-team"
CONFIGURATION = Path(__file__).with_name("team_hub_config.py")


@dataclass
class TeamHub:
    """A hub that answers at `api`, and the token of the worker there."""

    api: str
    worker: str = WORKER

    def mint(self, name: str) -> str:
        """Return a new token of a person, with all that the person may do."""
        answer = httpx.post(
            f"{self.api}/users/{name}/tokens",
            json={"expires_in": 600, "note": "test"},
            headers={"Authorization": f"token {_DESK}"},
            trust_env=False,
        )
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def describe(self, token: str) -> dict[str, object]:
        """Return what the hub tells a service about a token's holder."""
        shown = {"Authorization": f"token {token}"}
        answer = httpx.get(f"{self.api}/user", headers=shown, trust_env=False)
        facts: dict[str, object] = answer.raise_for_status().json()
        return facts


@contextmanager
def serve_team_hub(folder: Path) -> Iterator[TeamHub]:
    """Run the hub in a folder until the block ends; each person has a host of their own there."""
    settings = write_settings(folder)
    variables = {"SKERRY_HUB_SETTINGS": str(folder / "hub.json")}
    variables |= describe_team(domain="people.localhost")
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "skerry.hub.lean_start", "skerry.hub.program",
                "-f", str(CONFIGURATION),
            ],
            env=clean_environment() | variables, cwd=folder, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(
            lambda: _answers(settings.hub_url), 120, "the hub answers",
            lambda: log.read_text()[-3000:],
        )  # fmt: skip
        yield TeamHub(f"{settings.hub_url}/hub/api")
    finally:
        process.terminate()
        process.wait(30)


def describe_team(domain: str = "") -> dict[str, str]:
    """Return the variables from which the hub's configuration learns who is there.

    Parameters
    ----------
    domain
        The domain below which each person has a host; empty if all share one.
    """
    team = {
        "groups": GROUPS, "roles": ROLES, "people": PEOPLE, "scientists": SCIENTISTS,
        "desk": _DESK, "twin": TWIN,
        "domain": domain,
    }  # fmt: skip
    base = Path(skerry.__file__).parent / "hub" / "jupyterhub_config.py"
    return {"TEAM": json.dumps(team), "TEAM_BASE": str(base)}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/hub/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def write_settings(folder: Path, *, public_url: str | None = None) -> HubSettings:
    """Write the settings of a hub into a folder, and return them."""
    settings = HubSettings(
        public_url=public_url or f"http://127.0.0.1:{free_port()}",
        hub_url=f"http://127.0.0.1:{free_port()}",
        proxy_api_url=f"http://127.0.0.1:{free_port()}",
        proxy_command=find_proxy_command(),
        proxy_token="token-between-hub-and-proxy",
        proxy_pid_file=folder / "proxy.pid",
        database=folder / "hub.sqlite",
        cookie_secret=folder / "cookie_secret",
        users=folder / "users",
        notebooks=folder / "notebooks",
        owner=OWNER,
        password="a long password of the owner",
        password_file=folder / "password",
        project="project-main",
        services=[
            HubService(name=name, token=f"{WORKER}" if name == "worker" else f"token-of-{name}-x")
            for name in ("api", "maps", "worker", "supervisor", "dask-gateway", "prometheus")
        ],
        gateway_dashboards_port=free_port(),
        user_environment={},
    )
    (folder / "hub.json").write_text(settings.model_dump_json())
    return settings
