"""`skerry doctor` for a deployment, from outside and in a pod: each fault has its sentence."""

import http.server
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from tests.fresh_database import fill_database
from tests.kubernetes.certificates import Authority
from tests.platform_process import free_port
from tests.served_handler import serve_handler

from skerry.cli.doctor import inside
from skerry.cli.doctor.asking import SilentError, ask
from skerry.cli.doctor.command import doctor, examine
from skerry.cli.doctor.findings import Finding
from skerry.cli.doctor.outside import examine_outside
from skerry.cli.doctor.sign_on import look_at_provider
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.parts import PARTS_VARIABLE
from skerry.core.settings import DATABASE_VARIABLE
from skerry.core.version import VERSION
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

READY = {"ready": True, "missing": {}, "limited": {}}
WORKER = {"name": "worker-0", "works": True, "silent_s": 1.0}
HEALTH = {
    "worker": True, "workers": [WORKER], "disk_free": 5e9, "disk_total": 9e9, "disk_floor": 1,
    "disk_low": False,
}  # fmt: skip
HOLDER = {"account": "ann", "kind": "user", "projects": [], "roles": ["operator"], "scopes": []}

Answer = tuple[int, dict[str, str], Any]
Routes = dict[str, Answer]


class Server(http.server.BaseHTTPRequestHandler):
    """Answers each path as a test wants; other paths are not found."""

    routes: ClassVar[Routes] = {}
    date: ClassVar[str] = ""

    def do_GET(self) -> None:
        status, headers, body = self.routes.get(self.path.partition("?")[0], (404, {}, {}))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Date", self.date or format_datetime(datetime.now(UTC), usegmt=True))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(routes: Routes, **facts: Any) -> Iterator[str]:
    handler = type("Handler", (Server,), {"routes": routes, **facts})
    with serve_handler(handler) as port:
        yield f"http://127.0.0.1:{port}"


def make_platform(**changes: Answer) -> Routes:
    """Return the answers of a platform that works; `changes` are by part."""
    paths = {
        "hub": "/hub/health", "api": "/services/api/ready", "maps": "/services/maps/ready",
        "dashboards": "/services/dashboards/ready", "gateway": "/services/dask-gateway/api/health",
        "sign_on": "/hub/oauth_login", "description": "/services/api/openapi.json",
        "clock": "/services/api/health", "status": "/services/status/health",
        "me": "/services/api/me", "health": "/services/api/platform/health",
    }  # fmt: skip
    given: dict[str, Answer] = {name: (200, {}, READY) for name in paths}
    given |= {
        "sign_on": (404, {}, {}), "description": (200, {}, {"info": {"version": VERSION}}),
        "me": (200, {}, HOLDER), "health": (200, {}, HEALTH),
    }  # fmt: skip
    return {paths[name]: answer for name, answer in (given | changes).items()}


def look(url: str, *, logged_in: bool = True) -> dict[str, Finding]:
    """Return the findings by check; what is broken has a remedy, what is well has none."""
    session = Session(Login(url=url, token="t", user="ann")) if logged_in else None
    found = list(examine_outside(url, session))
    if session is not None:
        session.close()
    assert all(bool(finding.remedy) == (finding.state != "well") for finding in found), found
    return {finding.check: finding for finding in found}


def test_a_platform_that_works_has_no_fault() -> None:
    with serve(make_platform()) as url:
        found = look(url)
    assert {finding.state for finding in found.values()} == {"well"}
    assert found["login"].detail == "ann is operator."
    assert found["workers"].detail == "1 of 1 work."
    assert set(found) == {
        "address", "hub", "api", "maps", "dashboards", "gateway", "clock", "sign-on",
        "status page", "login", "workers", "disk",
    }  # fmt: skip


AWAY = (503, {}, b"no endpoints")
LACKING = (503, {}, {"ready": False, "missing": {"database": "The database does not answer."}})
IN_PART = (200, {}, READY | {"limited": {"hub": "The hub does not answer."}})


@pytest.mark.parametrize(
    ("part", "answer", "state", "words"),
    [
        ("api", LACKING, "broken", "database: The database does not answer."),
        ("maps", AWAY, "broken", "not ready, or away"),
        ("hub", (502, {}, b""), "broken", "answers 502"),
        ("dashboards", (404, {}, {}), "broken", "status 404"),
        ("gateway", (500, {}, b"oops"), "broken", "status 500"),
        ("maps", IN_PART, "attention", "works in part. hub: The hub does not answer."),
    ],
)
def test_a_part_that_cannot_work_is_named(
    part: str, answer: Answer, state: str, words: str
) -> None:
    with serve(make_platform(**{part: answer})) as url:
        found = look(url)
    assert found[part].state == state
    assert words in found[part].detail
    others = {check for check, finding in found.items() if finding.state != "well"}
    assert others == {part}, "nothing else is wrong"


def test_another_version_and_another_clock_are_named() -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    other = (200, {}, {"info": {"version": "0.0.1"}})
    with serve(make_platform(description=other), date=late) as url:
        found = look(url)
    assert f"It is Skerry 0.0.1, and this is Skerry {VERSION}." in found["api version"].detail
    assert "s ahead of this machine's" in found["clock"].detail
    assert found["clock"].state == found["api version"].state == "attention"


def test_what_only_a_login_shows() -> None:
    dead = HEALTH | {"workers": [WORKER | {"works": False}], "disk_low": True}
    nobody = HOLDER | {"roles": []}
    with serve(make_platform(me=(200, {}, nobody), health=(200, {}, dead))) as url:
        found = look(url)
        stranger = look(url, logged_in=False)
    assert found["workers"].state == "broken"
    assert found["disk"].state == "attention"
    assert "groups claim" in found["login"].remedy
    assert f"skerry login {url}" in stranger["login"].remedy
    assert "workers" not in stranger


def test_a_platform_that_is_nowhere_is_one_fault() -> None:
    found = look(f"http://127.0.0.1:{free_port()}")
    assert list(found) == ["address"]
    assert found["address"].state == "broken"
    assert "Nothing listens at 127.0.0.1:" in found["address"].detail


def test_no_name_no_answer_and_a_foreign_certificate_have_words_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SilentError, match=r"The name skerry\.invalid leads nowhere"):
        ask("https://skerry.invalid/hub/health")
    Authority.create(tmp_path / "authority.crt").issue(tmp_path / "server", "x", server=True)
    with (
        serve_handler(Server, certificate=tmp_path / "server") as port,
        pytest.raises(SilentError, match="is not trusted here: unable to get"),
    ):
        ask(f"https://127.0.0.1:{port}/")
    monkeypatch.setattr("skerry.cli.doctor.asking._ANSWER_WITHIN_S", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SilentError, match="did not answer within"),
    ):
        ask(f"http://127.0.0.1:{silent.getsockname()[1]}/")


@contextmanager
def serve_provider(**changes: Answer) -> Iterator[tuple[str, Routes]]:
    routes: Routes = {}
    with serve(routes) as url:
        document = {
            "issuer": url, "jwks_uri": f"{url}/keys", "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token", "userinfo_endpoint": f"{url}/me",
            "claims_supported": ["sub", "groups"],
        }  # fmt: skip
        routes["/.well-known/openid-configuration"] = (200, {}, document)
        routes["/keys"] = (200, {}, {"keys": [{"kid": "a", "kty": "RSA"}]})
        routes["/authorize"] = (200, {}, b"log in")
        routes.update({f"/{name}": answer for name, answer in changes.items()})
        yield url, routes


def look_at(url: str, public_url: str = "https://eo.example.org") -> list[Finding]:
    settings = SignOnSettings(issuer=url, client_id="skerry", groups=[{"group": "/eo"}])
    return list(look_at_provider(settings, public_url))


def test_a_provider_that_knows_us_is_well() -> None:
    with serve_provider() as (url, _):
        found = look_at(url)
    assert [finding.state for finding in found] == ["well"] * 3
    assert "https://eo.example.org/hub/oauth_callback" in found[1].detail
    assert "claim 'groups'" in found[2].detail


DENIED = {"location": "https://eo.example.org/hub/oauth_callback?error=invalid_scope"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"authorize": (400, {}, b"Invalid parameter: redirect_uri")}, "refuses the client"),
        ({"authorize": (302, DENIED, b"")}, "invalid_scope"),
        ({"keys": (200, {}, {"keys": []})}, "has no keys"),
        ({"keys": (500, {}, {})}, "answers with status 500"),
    ],
)
def test_what_a_provider_refuses_or_lacks_is_named(changes: dict[str, Answer], words: str) -> None:
    with serve_provider(**changes) as (url, _):
        broken = [finding for finding in look_at(url) if finding.state == "broken"]
    assert len(broken) == 1
    assert words in broken[0].detail
    assert broken[0].remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": "https://other.example"}, "speaks for 'https://other.example'"),
        ({"userinfo_endpoint": None}, "names no userinfo_endpoint"),
        ({"claims_supported": ["sub"]}, "does not say whether it gives the claim"),
    ],
)
def test_what_a_provider_says_of_itself_is_read(change: dict[str, Any], words: str) -> None:
    with serve_provider() as (url, routes):
        path = "/.well-known/openid-configuration"
        document = routes[path][2] | change
        routes[path] = (200, {}, {key: value for key, value in document.items() if value})
        found = look_at(url)
    assert words in found[-1].detail
    assert (found[-1].state == "broken") == ("claims_supported" not in change)


def test_from_outside_the_hub_s_own_way_to_the_provider_is_followed() -> None:
    with serve_provider(authorize=(400, {}, b"no")) as (provider, _):
        query = "client_id=skerry&redirect_uri=https://old.example/hub/oauth_callback"
        away = {"location": f"{provider}/authorize?{query}"}
        with serve(make_platform(sign_on=(302, away, b""))) as url:
            refused = look(url)["sign-on"]
        with serve(make_platform(sign_on=(503, {}, b""))) as url:
            silent = look(url)["sign-on"]
    assert "https://old.example/hub/oauth_callback" in refused.remedy
    assert refused.state == silent.state == "broken"
    assert "The hub sends nobody to the provider: it answers 503." in silent.detail


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return the folder of a pod of the platform; the database is a file here."""
    data = DataFolder(tmp_path / "data")
    data.create()
    fill_database(data)
    monkeypatch.setenv("SKERRY_ISOLATION", "pod")
    monkeypatch.setattr(inside, "is_inside", lambda: True)
    return data


def test_only_a_pod_that_opens_the_database_is_inside() -> None:
    both = {"SKERRY_ISOLATION": "pod", DATABASE_VARIABLE: "postgresql://a@b/c"}
    assert inside.is_inside(both)
    for name in both:
        assert not inside.is_inside({key: text for key, text in both.items() if key != name})


def test_in_a_pod_tables_that_are_old_stop_everything(pod: DataFolder) -> None:
    engine = open_database(database_url(pod.database))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    engine.dispose()
    found = {finding.check: finding for finding in examine(pod)}
    assert found["database"].state == "broken"
    assert "skerry-migrations" in found["database"].remedy
    assert "port" not in found, "its port is its own business"
    assert "platform" not in found, "there is no supervisor in a pod"


def test_in_a_pod_each_part_is_asked_where_the_chart_says(
    pod: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(make_platform(maps=LACKING)) as url:
        parts = {
            "api": f"{url}/services/api/ready", "maps": f"{url}/services/maps/ready",
            "worker": f"http://127.0.0.1:{free_port()}/services/worker/ready",
        }  # fmt: skip
        monkeypatch.setenv(PARTS_VARIABLE, json.dumps(parts))
        found = {finding.check: finding for finding in examine(pod)}
    assert found["api"].state == "well"
    assert found["maps"].state == "broken"
    assert "Nothing listens" in found["worker"].detail
    assert found["objects"].state == "well"


def test_in_a_pod_without_such_a_list_the_doors_of_each_pod_are_asked(
    pod: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(make_platform(gateway=AWAY) | {"/api/health": (500, {}, {})}) as url:
        monkeypatch.setenv("SKERRY_INTERNAL_URL", url)
        monkeypatch.setenv("JUPYTERHUB_API_URL", f"{url}/hub/api")
        monkeypatch.setenv("SKERRY_GATEWAY_ADDRESS", url)
        found = {finding.check: finding for finding in examine(pod)}
    assert {name: found[name].state for name in ("hub", "api", "maps", "gateway")} == {
        "hub": "well", "api": "well", "maps": "well", "gateway": "broken",
    }  # fmt: skip


def test_the_command_ends_with_two_when_something_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with serve(make_platform()) as url:
        well = CliRunner().invoke(doctor, ["--platform", url, "--json"])
        run = CliRunner().invoke(doctor, ["--platform", url, "--run"])
    away = CliRunner().invoke(doctor, ["--platform", f"http://127.0.0.1:{free_port()}"])
    assert well.exit_code == 0
    assert {entry["state"] for entry in json.loads(well.output)} == {"well", "attention"}
    assert run.exit_code == away.exit_code == 2
    assert f"Run 'skerry login {url}'." in run.output
