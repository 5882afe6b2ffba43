"""A real hub on which people of a provider sign on, and a browser without a window for each."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from tests.integration.services.team_hub import write_settings
from tests.platform_process import NO_CERTIFICATES, clean_environment, free_port, wait_until

import skerry
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE

_CONFIGURATION = Path(__file__).with_name("hub_config.py")
_SERVER = Path(__file__).parents[2] / "acceptance" / "own_server.py"
"""What people run in the place of JupyterLab."""

HOST = "eo.test"
"""The platform's name in these tests; people have subdomains of it."""

GROUPS = [
    {"group": "/eo", "roles": ["scientist"]},
    {"group": "/eo/lakes", "roles": ["reviewer"], "projects": ["lakes"]},
]
_FORM = re.compile(r'<form[^>]*action="([^"]+)"', re.DOTALL)
_FIELD = re.compile(r"<input([^>]*)>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


class NamedHost(httpx.HTTPTransport):
    """Reaches the names of these tests on this machine, as a name service would."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(HOST):
            request = httpx.Request(
                request.method, request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,  # with the name as the host
                stream=request.stream, extensions=request.extensions,
            )  # fmt: skip
        return super().handle_request(request)


@dataclass
class SignOnHub:
    """A running hub: its public address, its internal API, its log."""

    url: str
    api: str
    log: Path

    def browser(self) -> "Browser":
        """Return a browser that has been nowhere yet."""
        return Browser(self)

    def ask(self, token: str, path: str = "user", method: str = "GET", **more: Any) -> Any:
        """Return the hub's answer to the holder of a token."""
        headers = {"Authorization": f"token {token}"}
        url = f"{self.api}/{path}"
        return httpx.request(
            method,
            url,
            headers=headers,
            trust_env=False,
            verify=NO_CERTIFICATES,
            timeout=30,
            **more,
        )


class Browser:
    """Follows redirects and sends forms, with the cookies of one person."""

    def __init__(self, hub: SignOnHub, transport: httpx.BaseTransport | None = None) -> None:
        self.hub = hub
        self.client = httpx.Client(
            transport=transport or NamedHost(verify=NO_CERTIFICATES), timeout=30,
            headers={"Accept": "text/html"},
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def get(self, address: str, **more: Any) -> httpx.Response:
        """Return the answer of an address, the hub's own where it is only a path."""
        return self.client.get(urljoin(f"{self.hub.url}/", address), **more)

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go where redirects lead; a JupyterLab is not started."""
        while answer.is_redirect and "/hub/spawn" not in answer.headers["location"]:
            answer = self.client.get(urljoin(str(answer.url), answer.headers["location"]))
        return answer

    def send(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page, with what it has and these fields."""
        found = _FORM.search(page.text)
        assert found is not None, page.text[-2000:]
        kept = [dict(_ATTRIBUTE.findall(field)) for field in _FIELD.findall(page.text)]
        form = {
            field["name"]: unescape(field.get("value", "")) for field in kept if "name" in field
        }
        return self.client.post(urljoin(str(page.url), unescape(found[1])), data=form | fields)

    def begin(self, next_path: str = "/hub/home") -> httpx.Response:
        """Return the provider's page that asks who it is."""
        return self.follow(self.get("/hub/oauth_login", params={"next": next_path}))

    def give_consent(self, page: httpx.Response) -> httpx.Response:
        """Say yes to the provider's question, if it asks one; return where that leads."""
        while 'name="prompt"' in page.text and "consent" in page.text:
            page = self.follow(self.send(page))
        return page

    def sign_on(self, subject: str, next_path: str = "/hub/home") -> httpx.Response:
        """Sign on as somebody whom the provider knows; return the last answer.

        A provider that knows this browser's session does not ask who it is.
        """
        page = self.begin(next_path)
        if 'name="login"' not in page.text:
            return self.give_consent(page)
        return self.give_consent(self.follow(self.send(page, login=subject, password="any")))

    def read_user(self) -> Any:
        """Return what the hub says of whoever is signed on here; None for nobody."""
        answer = self.get("/hub/home")
        if answer.status_code != httpx.codes.OK:
            return None
        found = re.search(r'<a href="[^"]*home" title="Account">([^<]+)</a>', answer.text)
        assert found is not None, answer.text
        return found[1]

    def make_token(self, user: str, **facts: Any) -> str:
        """Return a new token of the person, as the page of tokens makes it."""
        self.get("/hub/token")
        xsrf = next(c.value for c in self.client.cookies.jar if c.name == "_xsrf" and c.value)
        answer = self.client.post(
            f"{self.hub.url}/hub/api/users/{user}/tokens", json={"expires_in": 3600} | facts,
            headers={"X-XSRFToken": xsrf, "Referer": f"{self.hub.url}/hub/token"},
        )  # fmt: skip
        assert answer.status_code == httpx.codes.CREATED, answer.text
        token: str = answer.json()["token"]
        return token


def choose_address() -> str:
    """Return a free address for a platform with subdomains."""
    return f"http://{HOST}:{free_port()}"


@contextmanager
def serve_sign_on_hub(
    folder: Path, url: str, settings: Mapping[str, Any], secret: str
) -> Iterator[SignOnHub]:
    """Run a hub in a folder until the block ends.

    Parameters
    ----------
    folder
        For its database and log; a hub of before may have been there.
    url
        Its public address.
    settings
        The settings of sign-on.
    secret
        The client's secret at the provider.
    """
    written = write_settings(folder, public_url=url)
    base = Path(skerry.__file__).parent / "hub" / "jupyterhub_config.py"
    variables = {
        "SKERRY_HUB_SETTINGS": str(folder / "hub.json"),
        "SIGN_ON_SETTINGS": json.dumps(settings),
        "SIGN_ON_BASE": str(base),
        "SIGN_ON_SERVER": str(_SERVER),
        "SKERRY_ALLOWED_HOSTS": HOST,
        "JUPYTERHUB_CRYPT_KEY": "0f" * 32,
        SECRET_VARIABLE: secret,
    }
    log = folder / "hub.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "skerry.hub.lean_start", "skerry.hub.program",
                "-f", str(_CONFIGURATION), "--debug",
            ],
            env=clean_environment() | variables, cwd=folder, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            health = f"http://127.0.0.1:{url.rpartition(':')[2]}/hub/health"
            return httpx.get(health, headers={"Host": HOST}, trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 120, "the hub answers", lambda: log.read_text()[-3000:])
        yield SignOnHub(url, f"{written.hub_url}/hub/api", log)
    finally:
        process.terminate()
        process.wait(30)
