"""A real OpenID provider in a process of its own, whose people and keys a test changes."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from tests.platform_process import NO_CERTIFICATES, free_port, wait_until
from tests.token_issuer import make_ec, make_rsa

from skerry.cli.supervisor.proxy_program import find_proxy_command

_PROGRAM = Path(__file__).with_name("provider.mjs")
CLIENT, MACHINE, API = "skerry", "harvester", "skerry-api"
PEOPLE: dict[str, dict[str, Any]] = {
    "sub-ann": {"preferred_username": "ann", "groups": ["/eo", "/eo/lakes"]},
    "sub-bob": {"preferred_username": "bob", "groups": ["/eo"]},
    "sub-eve": {"preferred_username": "eve", "groups": ["/strangers"]},
    "sub-nobody": {"preferred_username": "nobody"},
    MACHINE: {"groups": ["/machines/lakes"]},
}


@dataclass
class ProviderServer:
    """A running provider.

    Attributes
    ----------
    url
        Its issuer.
    secret
        The secret of the platform's client, and of the machine's.
    """

    url: str
    secret: str = field(repr=False)

    def _tell(self, what: str, value: Any) -> None:
        answer = httpx.post(f"{self.url}/test/{what}", json=value, verify=NO_CERTIFICATES)
        answer.raise_for_status()

    def set_people(self, people: dict[str, dict[str, Any]]) -> None:
        """Let the provider know exactly these people."""
        self._tell("people", people)

    def change_person(self, subject: str, **facts: Any) -> None:
        """Change facts about one of `PEOPLE`; all others are as they were at first."""
        self.set_people({**PEOPLE, subject: {**PEOPLE[subject], **facts}})

    def rotate_keys(self, *names: str, algorithm: str = "RS256") -> None:
        """Let the provider sign with the first of these keys, and show them all."""
        self._tell("keys", [_show_private_key(name, algorithm) for name in names])

    def set_away(self, *, away: bool) -> None:
        """Let the provider answer nothing but errors, or all again."""
        self._tell("away", away)

    def give_machine_token(self, audience: str = API) -> str:
        """Return a token for a machine client, as a JWT for an audience."""
        answer = httpx.post(
            f"{self.url}/token", auth=(MACHINE, self.secret), verify=NO_CERTIFICATES,
            data={"grant_type": "client_credentials", "resource": f"urn:audience:{audience}",
                  "scope": "read"},
        )  # fmt: skip
        token: str = answer.raise_for_status().json()["access_token"]
        return token


@contextmanager
def serve_provider(
    callback: str, after_logout: str, *, access_token_s: int = 600,
    host: str = "127.0.0.1", issuer: str | None = None,
) -> Iterator[ProviderServer]:  # fmt: skip
    """Run a provider until the block ends.

    Parameters
    ----------
    callback, after_logout
        Addresses of the platform to which it sends browsers back.
    access_token_s
        How long its access tokens are good, in seconds.
    host
        The address of this machine on which it listens.
    issuer
        Its public address, where something stands before it.
    """
    port, secret = free_port(), secrets.token_hex(16)
    server = ProviderServer(f"http://{host}:{port}", secret)
    settings = {
        "port": port,
        "host": host,
        "issuer": issuer or server.url,
        "people": PEOPLE,
        "access_token_s": access_token_s,
        "keys": [_show_private_key("first", "RS256")],
        "clients": [
            {
                "client_id": CLIENT, "client_secret": secret, "redirect_uris": [callback],
                "post_logout_redirect_uris": [after_logout],
                "grant_types": ["authorization_code", "refresh_token"],
            },
            {
                "client_id": MACHINE, "client_secret": secret, "redirect_uris": [],
                "response_types": [], "grant_types": ["client_credentials"],
            },
        ],
    }  # fmt: skip
    node = find_proxy_command()[0]
    process = subprocess.Popen(
        [node, "--no-warnings", str(_PROGRAM), json.dumps(settings)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=_PROGRAM.parent,
    )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        try:
            url = f"{server.url}/.well-known/openid-configuration"
            return httpx.get(url, verify=NO_CERTIFICATES).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60, "the provider answers")
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _show_private_key(name: str, algorithm: str) -> dict[str, Any]:
    key = make_ec(name) if algorithm == "ES256" else make_rsa(name)
    shown = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key))
    shown.pop("key_ops", None)
    return {**shown, "kid": name, "use": "sig", "alg": algorithm}
