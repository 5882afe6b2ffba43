"""The platform of many people: the same release with other values, and the people of a provider."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.cluster.front import DOMAIN, PROVIDER, TLS_SECRET, Front, lead_to_provider
from tests.cluster.installation import NAMESPACE, Installation
from tests.cluster.network import HOST, PODS
from tests.cluster.node import RealNode
from tests.cluster.person import Person
from tests.helm.rendering import merge
from tests.integration.sign_on.hub import GROUPS, Browser, SignOnHub
from tests.integration.sign_on.provider import CLIENT, ProviderServer, serve_provider
from tests.platform_process import wait_until

_SETTLED_S = 300.0
OPERATIONS = "/eo/operations"


@dataclass(frozen=True)
class Team:
    """A platform on which people of a provider sign on.

    Attributes
    ----------
    platform
        The release.
    front
        What stands before it.
    provider
        Where people sign on.
    """

    platform: Installation
    front: Front
    provider: ProviderServer

    def sign_on(self, subject: str, name: str) -> Person:
        """Sign on as somebody whom the provider knows; the hub must call them so."""
        door, url = self.front.door, self.front.url
        browser = self.open_browser()
        home = browser.sign_on(subject)
        assert home.status_code == 200, home.text
        assert browser.read_user() == name
        token = browser.make_token(name, note="road", expires_in=7200)
        return Person(url, name, browser.client, token, door, f"https://{name}.{DOMAIN}")

    def ask_stranger(self, path: str) -> httpx.Response:
        """Return what somebody without login gets at the public address."""
        with self.front.door.client() as client:
            return client.get(f"{self.front.url}{path}")

    def open_browser(self) -> Browser:
        """Return a browser that has been nowhere yet."""
        hub = SignOnHub(self.front.url, f"{self.front.url}/hub/api", Path())
        return Browser(hub, self.front.door.transport())


@contextmanager
def invite_team(
    node: RealNode, platform: Installation, front: Front, more: Mapping[str, Any]
) -> Iterator[Team]:
    """Upgrade the release to many people; the provider ends with the block.

    Parameters
    ----------
    more
        What else the operator changes in the values.
    """
    addresses = (f"{front.url}/hub/oauth_callback", f"{front.url}/hub/login")
    issuer = f"https://{PROVIDER}"
    with serve_provider(*addresses, host=HOST, issuer=issuer) as provider:
        lead_to_provider(node, int(provider.url.rpartition(":")[2]))
        node.server.create(f"/api/v1/namespaces/{NAMESPACE}/secrets", {
            "metadata": {"name": "skerry-sign-on"},
            "stringData": {"client-secret": provider.secret},
        })  # fmt: skip
        values = merge(platform.values, write_values(front, issuer), more)
        print(platform.with_values(values).install())
        team = Team(platform.with_values(values), front, provider)
        wait_until(
            lambda: _shows_login(team), _SETTLED_S, "the hub has the new settings",
            platform.explain, every_s=1,
        )  # fmt: skip
        yield team


def write_values(front: Front, issuer: str) -> Mapping[str, Any]:
    """Return what an operator changes in a trial's values to let a team in."""
    groups = [*GROUPS, {"group": OPERATIONS, "roles": ["operator"]}]
    settings = {"issuer": issuer, "client_id": CLIENT, "groups": groups}
    return {
        "certificates": {"authorities": front.authority.read_text()},
        "publicUrl": front.url,
        "people": {"many": True},
        "signOn": {"settings": settings, "addresses": [PODS]},
        "ingress": {"kind": "ingress", "tlsSecret": TLS_SECRET},
        "jupyterhub": {"hub": {"config": {"JupyterHub": {"subdomain_host": front.url}}}},
    }


def _shows_login(team: Team) -> bool:
    with team.front.door.client() as client:
        answer = client.get(f"{team.front.url}/hub/oauth_login")
        ready = client.get(f"{team.front.url}/services/api/ready")
    return answer.is_redirect and ready.is_success
