"""A real Keycloak in a process of its own, with a realm for each test module."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.sign_on.provider import API, CLIENT, MACHINE
from tests.platform_process import NO_CERTIFICATES, free_port, wait_until
from tests.tools import keycloak

REALM = "lab"
_MAPPED = {
    "access.token.claim": "true", "id.token.claim": "true", "userinfo.token.claim": "true",
}  # fmt: skip


@dataclass
class Keycloak:
    """A running server and its realm.

    Attributes
    ----------
    url
        The server's address.
    password
        Of its administrator, and of all people.
    secret
        Of both clients.
    """

    url: str
    password: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def issuer(self) -> str:
        """The realm's issuer."""
        return f"{self.url}/realms/{REALM}"

    def _admin_token(self) -> str:
        form = {
            "grant_type": "password", "client_id": "admin-cli", "username": "admin",
            "password": self.password,
        }  # fmt: skip
        address = f"{self.url}/realms/master/protocol/openid-connect/token"
        answer = httpx.post(address, data=form, verify=NO_CERTIFICATES, timeout=60)
        return str(answer.raise_for_status().json()["access_token"])

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Return the answer to an administrator; what was made is answered with its identifier."""
        answer = httpx.request(
            method, f"{self.url}/admin/realms{path}", json=content, timeout=60,
            headers={"Authorization": f"Bearer {self._admin_token()}"}, verify=NO_CERTIFICATES,
        )  # fmt: skip
        answer.raise_for_status()
        made = answer.headers.get("location", "").rpartition("/")[2]
        return made or (answer.json() if answer.content else None)

    def make_realm(self, callback: str, after_logout: str) -> None:
        """Make the realm: two clients, three groups, two people."""
        self.ask("POST", "", {
            "realm": REALM, "enabled": True, "accessTokenLifespan": 2, "editUsernameAllowed": True,
        })  # fmt: skip
        web = {
            "clientId": CLIENT, "secret": self.secret, "redirectUris": [callback],
            "attributes": {"post.logout.redirect.uris": after_logout},
        }  # fmt: skip
        machine = {
            "clientId": MACHINE, "secret": self.secret, "standardFlowEnabled": False,
            "serviceAccountsEnabled": True, "attributes": {"access.token.lifespan": "300"},
        }  # fmt: skip
        for client in (web, machine):
            made = self.ask("POST", f"/{REALM}/clients", client)
            mappers = f"/{REALM}/clients/{made}/protocol-mappers/models"
            self.ask("POST", mappers, _map("groups", "group-membership", {
                "claim.name": "groups", "full.path": "true",
            }))  # fmt: skip
            if client is machine:
                self.ask("POST", mappers, _map("audience", "audience", {
                    "included.custom.audience": API,
                }))  # fmt: skip
                account = self.ask("GET", f"/{REALM}/clients/{made}/service-account-user")["id"]
                self.join(account, self.make_group("machines"))
        for name in ("eo", "lakes"):
            self.make_group(name)
        for name, groups in (("ann", ("eo", "lakes")), ("bob", ("eo",)), ("eve", ())):
            person = self.ask("POST", f"/{REALM}/users", {
                "username": name, "enabled": True, "email": f"{name}@example.org",
                "emailVerified": True, "firstName": name, "lastName": "Example",
                "credentials": [{"type": "password", "value": self.password, "temporary": False}],
            })  # fmt: skip
            for group in groups:
                self.join(person, self.find_group(group))

    def make_group(self, name: str) -> str:
        """Make a group and return its identifier."""
        return str(self.ask("POST", f"/{REALM}/groups", {"name": name}))

    def find_group(self, name: str) -> str:
        """Return the identifier of a group."""
        found = self.ask("GET", f"/{REALM}/groups?exact=true&search={name}")
        return str(found[0]["id"])

    def find_person(self, name: str) -> str:
        """Return the identifier (``sub``) of a person."""
        return str(self.ask("GET", f"/{REALM}/users?exact=true&username={name}")[0]["id"])

    def join(self, person: str, group: str) -> None:
        """Make somebody a member of a group."""
        self.ask("PUT", f"/{REALM}/users/{person}/groups/{group}", {})

    def leave(self, person: str, group: str) -> None:
        """Take a group away from somebody."""
        self.ask("DELETE", f"/{REALM}/users/{person}/groups/{group}")

    def change_person(self, person: str, **facts: Any) -> None:
        """Change facts about somebody."""
        known = self.ask("GET", f"/{REALM}/users/{person}")
        self.ask("PUT", f"/{REALM}/users/{person}", known | facts)

    def rotate_keys(self) -> None:
        """Let the realm sign with a new key; the old one is shown still."""
        realm = self.ask("GET", f"/{REALM}")["id"]
        self.ask("POST", f"/{REALM}/components", {
            "name": f"new-{secrets.token_hex(2)}", "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider", "parentId": realm,
            "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"],
                       "keySize": ["2048"], "algorithm": ["RS256"]},
        })  # fmt: skip

    def give_machine_token(self) -> str:
        """Return a token for the machine client."""
        answer = httpx.post(
            f"{self.issuer}/protocol/openid-connect/token", auth=(MACHINE, self.secret),
            data={"grant_type": "client_credentials"}, verify=NO_CERTIFICATES, timeout=60,
        )  # fmt: skip
        return str(answer.raise_for_status().json()["access_token"])


def _map(name: str, kind: str, config: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name, "protocol": "openid-connect", "protocolMapper": f"oidc-{kind}-mapper",
        "config": _MAPPED | config,
    }  # fmt: skip


@contextmanager
def serve_keycloak(callback: str, after_logout: str) -> Iterator[Keycloak]:
    """Run a Keycloak with its realm until the block ends."""
    if not keycloak.is_there():
        pytest.fail("Keycloak is missing: 'make keycloak' fetches it, with Maven and Java")
    port = free_port()
    server = Keycloak(f"http://127.0.0.1:{port}", secrets.token_hex(8), secrets.token_hex(16))
    folder = Path(tempfile.mkdtemp(prefix="skerry-keycloak-"))
    environment = {
        **os.environ, "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": server.password,
        "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m", "JAVA_OPTS_APPEND": f"-Djava.io.tmpdir={folder}",
    }  # fmt: skip
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                keycloak.locate(), "start", "--optimized", "--http-enabled=true",
                "--hostname-strict=false", "--http-host=127.0.0.1", f"--http-port={port}",
                "--cache=local", "--log-level=warn",
            ],
            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            return httpx.get(f"{server.url}/realms/master", verify=NO_CERTIFICATES).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, 240, "Keycloak answers", lambda: log.read_text()[-3000:])
        server.make_realm(callback, after_logout)
        server.give_machine_token()  # the first token takes a cold server many seconds
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
