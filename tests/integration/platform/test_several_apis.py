"""Two apis and two maps behind one address: each request goes to the next, and any may be killed.

They are started with ``skerry serve``, on PostgreSQL; the front gives each connection to the next.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.platform_process import (
    SKERRY,
    RunningPlatform,
    clean_environment,
    free_port,
    start_platform,
    wait_until,
)
from tests.postgresql_server import PostgresqlServer
from tests.soak.front import serve_front

from skerry.core.settings import DATABASE_VARIABLE

pytestmark = [pytest.mark.postgresql, pytest.mark.long, pytest.mark.timeout(900)]

NEXT = {"Connection": "close"}
"""Each request has a connection of its own, so each reaches the next process."""


@dataclass
class Served:
    """One more process of a part, which `skerry serve` started on a port of its own."""

    part: str
    port: int
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log
            )

    def wait(self) -> None:
        wait_until(self.answers, 120, f"{self.part} answers", self.log.read_text)

    def answers(self) -> bool:
        address = f"http://127.0.0.1:{self.port}/services/{self.part}/ready"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(address, trust_env=False).is_success
        return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def measure(self, token: str) -> str:
        address = f"http://127.0.0.1:{self.port}/services/{self.part}/metrics"
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(address, headers=headers, trust_env=False).raise_for_status().text


@dataclass
class Team:
    """A platform, the processes that joined it, and an address in front of each kind."""

    platform: RunningPlatform
    served: dict[str, list[Served]]
    fronts: dict[str, str]

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request of the owner to the next process; path begins with its part."""
        part = path.partition("/")[0]
        headers = NEXT | {"Authorization": f"Bearer {self.platform.token}"}
        return httpx.request(
            method, f"{self.fronts[part]}/services/{path}", headers=headers, timeout=60,
            trust_env=False, **content,
        )  # fmt: skip

    def read(self, path: str, **content: Any) -> Any:
        return self.ask("GET", path, **content).raise_for_status().json()

    def send(self, path: str, body: Any) -> Any:
        return self.ask("POST", path, json=body).raise_for_status().json()


@pytest.fixture(scope="module")
def team(postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with contextlib.ExitStack() as stack:
        database = {DATABASE_VARIABLE: stack.enter_context(postgresql.database("template0"))}
        platform = start_platform(
            folder / "data", parts=["api", "maps", "worker", "hub"], extra_environment=database
        )
        stack.callback(platform.stop)
        served: dict[str, list[Served]] = {"api": [], "maps": []}
        for part in ("api", "api", "maps", "maps"):
            port = free_port()
            command = [*SKERRY, "serve", part, "--data", str(platform.data), "--port", str(port)]
            log = folder / f"{part}-{port}.log"
            served[part].append(Served(part, port, command, clean_environment() | database, log))
        for process in (*served["api"], *served["maps"]):
            process.start()
            stack.callback(process.kill)
        for process in (*served["api"], *served["maps"]):
            process.wait()
        fronts = {
            part: stack.enter_context(serve_front([process.port for process in processes]))
            for part, processes in served.items()
        }
        yield Team(platform, served, fronts)


def test_serve_refuses_another_database_and_a_folder_without_a_platform(
    team: Team, tmp_path: Path
) -> None:
    for data, named in ((team.platform.data, "keeps its state in postgresql://skerry@"),
                        (tmp_path, "No platform runs on")):  # fmt: skip
        ended = subprocess.run(
            [*SKERRY, "serve", "api", "--data", str(data)], env=clean_environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert named in ended.stderr


@pytest.mark.parametrize("part", ["api", "maps"])
def test_a_login_that_begins_at_one_process_ends_at_the_other(team: Team, part: str) -> None:
    platform, front = team.platform, team.fronts[part]
    page = f"/services/{part}/metrics"
    browser = platform.log_in(platform.user, platform.password)
    browser.headers.update(NEXT | {"Accept": "text/html"})

    def follow(address: str) -> httpx.Response:
        parts = urlsplit(address)
        place = front if parts.path.startswith(f"/services/{part}/") else platform.url
        target = f"{place}{parts.path}?{parts.query}".rstrip("?")
        return browser.get(target, follow_redirects=False)

    answer = follow(page)
    path = [page]
    while answer.is_redirect and len(path) < 9:
        path.append(urlsplit(answer.headers["location"]).path)
        answer = follow(answer.headers["location"])
    assert path[1] == "/hub/api/oauth2/authorize"
    assert path[-2:] == [f"/services/{part}/oauth_callback", page]
    # The session is known; a viewer's token does not measure.
    assert answer.status_code == 403, (path, answer.text)
    for _ in range(4):
        assert follow(page).status_code == 403


def test_work_goes_on_while_processes_are_killed(team: Team) -> None:
    """Releases, runs, pages of searches and tiles, with an api and a maps killed between."""
    proposed = team.send("api/production/releases", {"name": "field", "notebook": make_notebook()})
    path = f"api/production/releases/{proposed['id']}/approve"
    team.send(path, approve_as_seen(proposed))
    policy = {"review": "none"}
    order = {"name": "field", "release": proposed["id"], "policy": policy}
    team.send("api/production/jobs", order)
    runs = []
    for minute in range(4):
        body = {"parameters": {"minute": minute}, "key": f"k{minute}"}
        runs.append(start(team, body))
        if minute == 1:
            team.served["api"][0].kill()
            team.served["maps"][1].kill()
    wait_until(
        lambda: all(team.read(f"api/production/runs/{run}")["status"] == "succeeded"
                    for run in runs),
        300, "all runs succeed", lambda: str(team.read("api/production/runs")),
    )  # fmt: skip
    for process in (team.served["api"][0], team.served["maps"][1]):
        process.start()
        process.wait()
    items = page_through(team)
    assert len(items) == len(set(items)) == 4
    check_withdrawal(team, items[0])


def start(team: Team, body: dict[str, Any]) -> str:
    parameters = {"parameters": body["parameters"]}
    return str(team.send("api/production/jobs/field/runs", parameters)["id"])


def page_through(team: Team) -> list[str]:
    """Return the items of a search in pages of one item; each page comes from the next api."""
    items = []
    query: dict[str, Any] | None = {"collections": "field", "limit": 1}
    path = "api/stac/search"
    while query is not None:
        page = team.read(path, params=query)
        items += [item["id"] for item in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        query = dict(httpx.URL(following[0]).params) if following else None
    return items


def check_withdrawal(team: Team, item: str) -> None:
    """What one api withdraws or publishes is true at all apis and maps within 10 s."""
    document = f"api/stac/collections/field/items/{item}"
    layer = f"maps/tiles/field/{item}/field"
    assets = team.read(document)["assets"].values()
    file = next(asset["href"] for asset in assets if asset["href"].endswith(".png"))
    pages = [document, file.partition("/services/")[2], f"{layer}/tilejson.json"]
    pages = [page for page in (*pages, f"{layer}/0/0/0.png") for _ in "ab"]  # at each process

    def look(headers: dict[str, str] = NEXT) -> list[int]:
        """Return what a stranger is answered by each api and each maps."""
        addresses = (f"{team.fronts[page.partition('/')[0]]}/services/{page}" for page in pages)
        return [
            httpx.get(address, headers=headers, trust_env=False).status_code
            for address in addresses
        ]

    def count() -> int:
        search = team.read("api/stac/search", params={"collections": "field", "limit": 100})
        return sum(found["id"] == item for found in search["features"])

    def find() -> list[int]:
        """Return how often a stranger finds it at each api."""
        address = f"{team.fronts['api']}/services/api/stac/search?ids={item}"
        answers = [httpx.get(address, headers=NEXT, trust_env=False).json() for _ in "ab"]
        return [len(answer["features"]) for answer in answers]

    operator = NEXT | {"Authorization": f"Bearer {team.platform.token}"}
    assert (look(), find()) == ([401] * 8, [0, 0])
    team.platform.run("collection", "publish", "field")
    wait_until(lambda: look() == [200] * 8, 10, "all show it", lambda: str(look()))
    assert find() == [1, 1]
    version = team.read(f"{document}/versions")["versions"][0]["version"]
    path = f"{document}/versions/{version}/withdraw"
    team.ask("POST", path, json={"reason": "wrong calibration"}).raise_for_status()
    wait_until(lambda: look() == [410] * 8, 10, "none shows it", lambda: str(look()))
    assert find() == [0, 0]
    assert look(operator) == [200] * 8
    assert count() == 1
    body = {"reason": "wrong calibration", "delete_bytes": True}
    team.ask("POST", path, json=body).raise_for_status()
    gone = [200] * 2 + [410] * 6
    wait_until(lambda: look(operator) == gone, 10, "the files are gone",
               lambda: str(look(operator)))  # fmt: skip
    assert look() == [410] * 8
    token = (team.platform.data / "state" / "metrics-token").read_text()
    for process in (*team.served["api"], *team.served["maps"]):
        assert "skerry_request_seconds_count{" in process.measure(token), "each did a part of it"
