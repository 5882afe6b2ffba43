"""The api application over an empty data folder, answering on a real loopback port."""

import shutil
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from tests.described_answers import DescribedAnswers
from tests.fresh_database import fill_database
from tests.platform_process import NO_CERTIFICATES, wait_until

from skerry.core.scopes import ADMIN, RUN, Scope
from skerry.core.settings import API_PREFIX, ServiceSettings
from skerry.services.api import create_api
from skerry.services.hub_access import HubAccess
from skerry.services.identity import Identity
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

TOKENS: dict[str, tuple[str, frozenset[Scope]]] = {
    "alice-token": ("alice", ADMIN),
    "bob-token": ("bob", ADMIN),
    "reader-token": ("reader", frozenset({Scope.CATALOG_READ})),
    "nothing-token": ("nobody", frozenset()),
    "run-token": ("project-main", RUN),
}


class TokenBook:
    """Knows the tokens of `TOKENS` without a hub; a token can be struck out."""

    def __init__(self) -> None:
        self.tokens = dict(TOKENS)
        self.groups: dict[str, frozenset[str]] = {}
        self.services: set[str] = set()
        """Tokens whose holder is a service of the hub."""

    async def verify(self, token: str) -> Identity | None:
        """Return the token's holder, or None."""
        if token not in self.tokens:
            return None
        name, scopes = self.tokens[token]
        groups = self.groups.get(name, frozenset())
        kind = "service" if token in self.services else "user"
        return Identity(name, frozenset(scopes), token, kind=kind, groups=groups)

    async def close(self) -> None:
        """Hold no connection."""


_EMPTIED = (
    "items_index", "items", "shares", "collections", "deletions", "grants",
    "job_shares", "release_shares",
    "budgets", "budget_reservations", "budget_use", "courses", "capacity",
    "project_requests", "project_members", "projects",
    "outputs", "attempts", "runs", "jobs", "releases",
)  # fmt: skip


@dataclass
class ServedApi:
    """A running api: its address, data folder, application and token book."""

    url: str
    data: DataFolder
    app: FastAPI
    book: TokenBook

    @cached_property
    def described(self) -> DescribedAnswers:
        """What the api says about its answers."""
        return DescribedAnswers(self.app.openapi())

    @property
    def prefix(self) -> str:
        """The address of the api's routes."""
        return f"{self.url}{API_PREFIX}"

    def empty(self) -> None:
        """Forget every row, object and log, and restore the token book.

        What environments are built from stays: it stands under the digest of its content.
        """
        engine = open_database(database_url(self.data.database))
        with engine.begin() as connection:
            for name in _EMPTIED:
                connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608  (fixed names)
        engine.dispose()
        for folder in (self.data.objects, self.data.logs):
            for path in folder.iterdir():
                if path.is_dir() and path.name != "environments":
                    shutil.rmtree(path)
                elif not path.is_dir():
                    path.unlink()
        self.book.tokens, self.book.groups = dict(TOKENS), {}
        self.book.services = set()

    def client(self, token: str | None) -> httpx.Client:
        """Return a client below the api's prefix, with a token or anonymous.

        Each answer is compared with what the api's OpenAPI document says of it.
        """
        hooks = {"response": [self.described.check]}
        return open_client(f"{self.prefix}/", token, timeout=30, event_hooks=hooks)


def open_client(
    url: str, token: str | None = None, *, headers: dict[str, str] | None = None, **options: Any
) -> httpx.Client:
    """Return a client of plain HTTP, anonymous unless a token is given; it reads no certificates.

    Parameters
    ----------
    options
        Those of `httpx.Client`.
    """
    login = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(
        base_url=url, headers=login | (headers or {}), trust_env=False, verify=NO_CERTIFICATES,
        **options,
    )  # fmt: skip


People = dict[str, httpx.Client]
"""Clients by the names of those who ask."""


@contextmanager
def serve_people(
    api: ServedApi,
    people: Mapping[str, Iterable[Scope]],
    groups: Mapping[str, frozenset[str]] | None = None,
) -> Iterator[People]:
    """Give a client for each person, whose token has the scopes, and `nobody` without a token.

    Parameters
    ----------
    api
        The api; it forgets the tokens when it is emptied.
    people
        Scopes by name. A token is called as its holder: ``ann-token``.
    groups
        Groups by name of their member.
    """
    api.book.groups = dict(groups or {})
    with ExitStack() as stack:
        clients = {"nobody": stack.enter_context(api.client(None))}
        for name, scopes in people.items():
            api.book.tokens[f"{name}-token"] = (name, frozenset(scopes))
            clients[name] = stack.enter_context(api.client(f"{name}-token"))
        yield clients


_NO_HUB = "http://127.0.0.1:9/hub/api"


def make_hub_access(service: str = "api", api_url: str = _NO_HUB) -> HubAccess:
    """Return what a hub would tell a service; without `api_url` there is no hub."""
    return HubAccess(
        service=service,
        api_url=api_url,
        api_token=f"token-of-{service}-x",
        client_id=f"service-{service}",
        callback=f"/services/{service}/oauth_callback",
    )


@contextmanager
def serve_in_thread(app: FastAPI, listening: socket.socket) -> Iterator[None]:
    """Serve an application on a bound socket until the block ends."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(
        lambda: server.started or not thread.is_alive(),
        30,
        "the application has started",
        every_s=0.01,
    )
    assert server.started
    yield
    server.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()


def bind_free_port() -> tuple[socket.socket, str]:
    """Return a listening loopback socket and its http address."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def serve_api(
    folder: Path,
    hub_api: str | None = None,
    *,
    self_approval: bool = True,
    place: tuple[socket.socket, str] | None = None,
) -> Iterator[ServedApi]:
    """Serve the api over a data folder, which need not exist; with a token book, or a real hub.

    Parameters
    ----------
    place
        Socket and address as `bind_free_port` gives them, for who needs the address before.
    """
    data = DataFolder(folder)
    data.create()
    if not data.database.exists():
        fill_database(data)
    listening, url = place or bind_free_port()
    book = TokenBook()
    settings = ServiceSettings(
        data=folder, public_url=url, port=listening.getsockname()[1], self_approval=self_approval
    )
    hub = make_hub_access(api_url=hub_api or _NO_HUB)
    app = create_api(settings, hub=hub, verifier=None if hub_api else book)
    with serve_in_thread(app, listening):
        yield ServedApi(url, data, app, book)
