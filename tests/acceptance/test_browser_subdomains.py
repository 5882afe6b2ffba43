"""What a page of one person's server can do to those who open it: nothing in their name.

The hub has Skerry's configuration of Kubernetes, a host for each person, and TLS. Hosts below the
platform's own are the harder case: a browser takes them for one site. Names that end with
``.localhost`` need no name server.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from tests.acceptance.browsing import SIZE, launch
from tests.cluster_hub import describe_hub
from tests.conftest import find_chromium
from tests.fresh_database import fill_database
from tests.kubernetes.certificates import Authority
from tests.platform_process import clean_environment, free_port, wait_until
from tests.served_api import bind_free_port, make_hub_access, serve_in_thread

from skerry.cli.supervisor.proxy_program import find_proxy_command
from skerry.core.settings import ServiceSettings
from skerry.services.api import create_api
from skerry.storage.layout import DataFolder

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]

PASSWORD = "a long password of everybody"
STRANGER, VISITOR, OTHER = "ann", "bob", "zoe"
_DESK = "token-of-the-desk-that-makes-tokens"
_CONFIGURATION = Path(__file__).with_name("subdomain_config.py")


@dataclass
class Site:
    """A hub with a host for each person, an api behind it, and a browser of the visitor."""

    port: int
    domain: str
    hub_api: str
    context: BrowserContext
    log: Path

    @property
    def hub(self) -> str:
        """The platform's address."""
        return f"https://skerry.localhost:{self.port}"

    def host(self, name: str) -> str:
        """Return the address of a person's server."""
        return f"https://{name}.{self.domain}:{self.port}/user/{name}"

    @property
    def own_page(self) -> str:
        """A page of the visitor's own server."""
        return f"{self.host(VISITOR)}/lab"

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Ask the hub as the desk, which sees everything here."""
        answer = httpx.request(
            method, f"{self.hub_api}/{path}", headers={"Authorization": f"token {_DESK}"},
            trust_env=False, timeout=60, **content,
        )  # fmt: skip
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def is_ready(self, name: str) -> bool:
        """Return whether a person's server has started."""
        servers = self.ask("GET", f"users/{name}")["servers"]
        assert servers, f"the start has failed: {self.log.read_text()[-4000:]}"
        return bool(servers[""]["ready"])

    def open(self, url: str) -> Page:
        """Open a page in the visitor's browser."""
        page = self.context.new_page()
        page.goto(url, wait_until="domcontentloaded")
        return page

    def count_tokens(self) -> int:
        """Return how many tokens the visitor has asked for themselves."""
        tokens = self.ask("GET", f"users/{VISITOR}/tokens")["api_tokens"]
        return sum(token["note"] != "test" and not token["oauth_client"] for token in tokens)


@pytest.fixture(scope="module", params=["skerry.localhost", "people.localhost"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    executable = find_chromium()
    assert executable is not None
    patch = pytest.MonkeyPatch()
    with ExitStack() as stack:
        stack.callback(patch.undo)
        listening, url = bind_free_port()
        port, hub_url = free_port(), f"http://127.0.0.1:{free_port()}"
        _serve_hub(stack, folder, port, hub_url, request.param, url)
        patch.setenv("SKERRY_ALLOWED_HOSTS", "skerry.localhost")
        data = DataFolder(folder / "data")
        data.create()
        fill_database(data)
        settings = ServiceSettings(
            data=data.root, public_url=f"https://skerry.localhost:{port}",
            port=listening.getsockname()[1],
        )  # fmt: skip
        app = create_api(settings, hub=make_hub_access("api", f"{hub_url}/hub/api"))
        stack.enter_context(serve_in_thread(app, listening))
        browser = launch(stack.enter_context(sync_playwright()), executable)
        stack.callback(browser.close)
        context = browser.new_context(viewport=SIZE, ignore_https_errors=True)
        context.set_default_timeout(60_000)
        site = Site(port, request.param, f"{hub_url}/hub/api", context, folder / "hub.log")
        _start(site)
        yield site


def _serve_hub(
    stack: ExitStack, folder: Path, port: int, hub_url: str, domain: str, api_url: str
) -> None:
    services = [{"name": "api", "url": api_url}, {"name": "worker"}]
    settings = describe_hub(
        publicUrl=f"https://skerry.localhost:{port}", userDomain=domain, services=services
    )
    (folder / "hub.json").write_text(json.dumps(settings))
    (folder / "tokens").mkdir()
    for service in services:
        (folder / "tokens" / service["name"]).write_text(f"token-of-{service['name']}-x")
    Authority.create(folder / "ca.crt").issue(folder / "tls", "localhost", server=True)
    team = {
        "folder": str(folder), "bind_url": f"https://127.0.0.1:{port}", "hub_url": hub_url,
        "proxy_url": f"http://127.0.0.1:{free_port()}", "proxy_command": find_proxy_command(),
        "password": PASSWORD, "people": [STRANGER, VISITOR, OTHER], "desk": _DESK,
        "stranger": STRANGER,
    }  # fmt: skip
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(_CONFIGURATION)],
            env=clean_environment()
            | {
                "TEAM": json.dumps(team), "TEAM_CONFIG": str(_CONFIGURATION),
                "SKERRY_HUB_SETTINGS": str(folder / "hub.json"),
                "SKERRY_HUB_TOKENS": str(folder / "tokens"),
            },
            cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    stack.callback(_end, process)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx.get(f"{hub_url}/hub/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    wait_until(answers, 120, "the hub answers", lambda: log.read_text()[-3000:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)


def _start(site: Site) -> None:
    """Log the visitor in, everywhere where they have a session, and start all servers."""
    for name in (STRANGER, VISITOR, OTHER):  # one after another: a free port may be taken
        site.ask("POST", f"users/{name}/server", json={})
        wait_until(
            lambda name=name: site.is_ready(name), 180, f"the server of {name} is ready",
            lambda: site.log.read_text()[-4000:],
        )  # fmt: skip
    page = site.open(f"{site.hub}/hub/login?next=/hub/home")
    page.get_by_label("Username").fill(VISITOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/hub/home")
    page.goto(f"{site.host(VISITOR)}/api/contents")
    assert "content" in page.content()
    page.goto(f"{site.hub}/services/api/production/jobs")
    assert "jobs" in page.content()
    page.close()


FETCH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, {credentials: "include", ...options});
        return [answer.type, answer.status, (await answer.text()).slice(0, 2000)];
    } catch (error) {
        return ["refused", 0, String(error)];
    }
}"""
OWN_FETCH = """async ([url, options]) => {
    const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
    const answer = await fetch(url, {headers: {"X-XSRFToken": token}, ...options});
    return [answer.type, answer.status, await answer.text()];
}"""
"""What a page of the own server does, as JupyterLab does it: it reads the cookie of its host."""
WRITE = {"method": "POST", "body": "{}"}
"""What a page may send to another host without asking: as an ordinary form would."""


def targets(site: Site) -> dict[str, str]:
    return {
        "the hub": f"{site.hub}/hub/api/user",
        "the api": f"{site.hub}/services/api/production/jobs",
        "their own server": f"{site.host(VISITOR)}/api/contents",
        "another's server": f"{site.host(OTHER)}/api/contents",
    }


def test_a_person_s_own_pages_work(site: Site) -> None:
    own = site.open(site.own_page)
    for url in (f"{site.host(VISITOR)}/api/contents", f"{site.host(VISITOR)}/api/kernels"):
        kind, status, _ = own.evaluate(OWN_FETCH, [url, {}])
        assert (kind, status) == ("basic", 200)
    own.close()
    hub = site.open(f"{site.hub}/hub/home")
    xsrf = hub.evaluate("window.jhdata.xsrf_token")
    url = f"{site.hub}/hub/api/user?_xsrf={xsrf}"
    kind, status, text = hub.evaluate(FETCH, [url, {}])
    assert (kind, status, json.loads(text)["name"]) == ("basic", 200, VISITOR)
    kind, status, _ = hub.evaluate(FETCH, [targets(site)["the api"], {}])
    assert (kind, status) == ("basic", 200)
    hub.close()


@pytest.mark.parametrize("target", ["the hub", "the api", "their own server", "another's server"])
def test_a_stranger_s_page_reads_nothing_of_its_visitor(site: Site, target: str) -> None:
    url = targets(site)[target]
    page = site.open(f"{site.host(STRANGER)}/")
    assert page.title() == "A page"
    assert page.evaluate(FETCH, [url, {}])[0] == "refused", "CORS shows it no answer"
    kind, _, text = page.evaluate(FETCH, [url, {"mode": "no-cors"}])
    assert (kind, text) in (("opaque", ""), ("refused", text)), "it sees nothing in it"
    told = {"headers": {"X-XSRFToken": "any", "Content-Type": "application/json"}, **WRITE}
    assert page.evaluate(FETCH, [url, told])[0] == "refused", "the browser asks first"
    page.close()


def test_a_stranger_s_page_changes_nothing_in_its_visitor_s_name(site: Site) -> None:
    page = site.open(f"{site.host(STRANGER)}/")
    tokens = site.count_tokens()
    own, hub, api = site.host(VISITOR), f"{site.hub}/hub/api", f"{site.hub}/services/api"
    addresses = (
        f"{hub}/users/{VISITOR}/tokens", f"{hub}/users/{VISITOR}/server",
        f"{own}/api/terminals", f"{own}/api/kernels", f"{own}/api/contents",
        f"{api}/production/jobs", f"{api}/production/releases",
    )  # fmt: skip
    answers: dict[str, int] = {}
    site.context.on("response", lambda answer: answers.update({answer.url: answer.status}))
    for url in addresses:
        page.evaluate(FETCH, [url, {"mode": "no-cors", **WRITE}])
        _send_form(page, url)
    assert set(answers) >= set(addresses)
    refused = {url: answers[url] for url in addresses}
    assert all(400 <= status < 500 for status in refused.values()), refused
    assert site.count_tokens() == tokens
    page.close()
    mine = site.open(site.own_page)
    for kind in ("terminals", "kernels"):
        assert json.loads(mine.evaluate(OWN_FETCH, [f"{own}/api/{kind}", {}])[2]) == []
    mine.close()
    assert site.ask("GET", f"users/{VISITOR}")["servers"], "and their server still runs"


def _send_form(page: Page, url: str) -> None:
    """Send a form to another host, as a button of the page would; wait for the answer."""
    with page.expect_response(lambda answer: answer.url == url and answer.request.method == "POST"):
        page.evaluate(
            """url => {
                const form = document.createElement("form");
                const frame = document.createElement("iframe");
                frame.name = "f" + Math.random();
                Object.assign(form, {method: "POST", action: url, target: frame.name});
                document.body.append(frame, form);
                form.submit();
            }""",
            url,
        )


def test_a_stranger_s_page_opens_no_socket_of_its_visitor_s_kernels(site: Site) -> None:
    own = site.host(VISITOR)
    mine = site.open(site.own_page)
    start = {"method": "POST", "body": "{}"}
    kind, status, text = mine.evaluate(OWN_FETCH, [f"{own}/api/kernels", start])
    assert (kind, status) == ("basic", 201), text
    address = f"{own}/api/kernels/{json.loads(text)['id']}/channels".replace("https", "wss")
    ask = """url => new Promise(done => {
        const socket = new WebSocket(url);
        socket.onopen = () => { done("open"); socket.close(); };
        socket.onerror = () => done("refused");
    })"""
    assert mine.evaluate(ask, address) == "open"
    page = site.open(f"{site.host(STRANGER)}/")
    assert page.evaluate(ask, address) == "refused"
    kernel = address.replace("wss", "https").removesuffix("/channels")
    assert mine.evaluate(OWN_FETCH, [kernel, {"method": "DELETE"}])[1] == 204
    page.close()
    mine.close()


@pytest.mark.parametrize("where", ["hub/home", "hub/token", "services/api/production/jobs", "lab"])
def test_a_stranger_s_page_frames_no_page_of_the_platform(site: Site, where: str) -> None:
    url = f"{site.host(VISITOR)}/lab" if where == "lab" else f"{site.hub}/{where}"
    page = site.open(f"{site.host(STRANGER)}/")
    with page.expect_event("framenavigated", predicate=lambda frame: frame != page.main_frame):
        page.evaluate(
            """url => {
                const frame = document.createElement("iframe");
                frame.src = url;
                document.body.append(frame);
            }""",
            url,
        )
    [frame] = [one for one in page.frames if one != page.main_frame]
    assert frame.url.startswith("chrome-error:"), frame.url
    page.close()


def test_cookies_of_a_stranger_s_page_log_nobody_in_as_somebody_else(site: Site) -> None:
    page = site.open(f"{site.host(STRANGER)}/")
    known = {cookie["name"] for cookie in site.context.cookies(site.hub)}
    logins = {name for name in known if "login" in name or "session" in name or "xsrf" in name}
    guarded = {name for name in logins if name.startswith("__Host-")}
    assert {"__Host-jupyterhub-hub-login", f"__Host-skerry-api-{site.port}-session"} <= guarded
    for name in known | {"jupyterhub-hub-login", "_xsrf", "jupyterhub-session-id"}:
        for domain in ("skerry.localhost", "localhost", ""):
            for path in ("/", "/hub/", "/services/api"):
                where = f"; domain={domain}" if domain else ""
                page.evaluate(
                    "cookie => { document.cookie = cookie; }",
                    f"{name}=tossed; path={path}; secure{where}",
                )
    page.close()
    cookies = site.context.cookies(f"{site.hub}/hub/home")
    assert not [one for one in cookies if one["name"] in guarded and one["value"] == "tossed"]
    home = site.open(f"{site.hub}/hub/home")
    assert home.locator("h1").first.inner_text() == VISITOR
    home.goto(f"{site.hub}/services/api/production/jobs")
    assert "jobs" in home.content()
    home.close()


SHORT_OF_MEMORY = """
    window.short = [{kind: "memory", message: "This server uses 7.5 of its 8 GiB of memory."}];
    const ask = window.fetch;
    window.fetch = async (url, ...more) => {
        const answer = await ask(url, ...more);
        if (!String(url).endsWith("/skerry/notices")) {
            return answer;
        }
        const told = {...await answer.json(), notices: window.short};
        return new Response(JSON.stringify(told), {status: answer.status});
    };
"""
"""Makes the server's true answer tell of a lack."""
TURN_AWAY = """() => {
    Object.defineProperty(document, "hidden", {value: true, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_lab_says_when_a_limit_is_near(site: Site) -> None:
    page = site.context.new_page()
    asked: list[int] = []
    page.on(
        "response",
        lambda answer: asked.append(answer.status) if "skerry/notices" in answer.url else None,
    )
    page.add_init_script(SHORT_OF_MEMORY)
    page.clock.install()
    page.goto(site.own_page, wait_until="domcontentloaded")
    notice = page.locator(".Toastify__toast", has_text="7.5 of its 8 GiB")
    expect(notice).to_be_visible(timeout=60_000)
    page.evaluate("window.short = []")
    page.clock.fast_forward("00:31")
    expect(notice).to_have_count(0, timeout=30_000)
    page.evaluate(TURN_AWAY)
    seen = len(asked)
    ends = page.locator(".Toastify__toast", has_text="ends in 10 minutes")
    page.clock.fast_forward("49:00")
    expect(ends).to_have_count(0)
    page.clock.fast_forward("01:30")
    expect(ends).to_be_visible(timeout=30_000)
    assert set(asked) == {200}
    assert len(asked) == seen, "while nobody looks nothing is asked, which would count as use"
    page.close()
