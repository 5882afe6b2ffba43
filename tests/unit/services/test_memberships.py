"""What the parts remember of memberships: one question for many requests, none from before."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.databases import data, engine

from skerry.models.projects import Role
from skerry.projects.store import make_project, set_member
from skerry.services.identity import Identity
from skerry.services.memberships import MemberVerifier
from skerry.storage.recording import PLATFORM, writing

__all__ = ["data", "engine"]

EVE = "person:eve"


class Book:
    """Knows one token."""

    async def verify(self, token: str) -> Identity:
        """Return eve."""
        return Identity("eve", frozenset(), token)

    async def close(self) -> None:
        """Hold no connection."""


def let_in(engine: Engine) -> None:
    with writing(engine, PLATFORM) as connection:
        make_project(
            connection, "lakes", title="Lakes", owner="person:ann", listed=True, last_day=None
        )
        set_member(connection, "lakes", EVE, Role.MEMBER, None)


def watch_questions(verifier: Any, first: Callable[[], None]) -> list[str]:
    """Return a list of those who are asked for; `first` runs between the answer and its return."""
    asked: list[str] = []
    read = verifier._read

    def note(person: str) -> Any:
        found = read(person)
        asked.append(person)
        if len(asked) == 1:
            first()
        return found

    verifier._read = note
    return asked


@pytest.mark.asyncio
async def test_requests_at_once_share_a_question(engine: Engine) -> None:
    let_in(engine)
    verifier = MemberVerifier(Book(), engine)
    asked = watch_questions(verifier, lambda: None)
    found = await asyncio.gather(*(verifier.verify("token") for _ in range(50)))
    assert {identity.groups for identity in found if identity} == {frozenset({"lakes"})}
    assert asked == [EVE]


@pytest.mark.asyncio
async def test_an_answer_from_before_a_change_is_not_kept(engine: Engine) -> None:
    verifier = MemberVerifier(Book(), engine)
    has_read, may_return = threading.Event(), threading.Event()

    def wait() -> None:
        has_read.set()
        assert may_return.wait(20)

    asked = watch_questions(verifier, wait)
    slow = asyncio.create_task(verifier.verify("token"))
    assert await asyncio.to_thread(has_read.wait, 20)
    let_in(engine)
    verifier.forget()
    new = await verifier.verify("token")
    assert new is not None
    assert new.groups == {"lakes"}, "it does not wait for the old answer"
    may_return.set()
    await slow
    again = await verifier.verify("token")
    assert again is not None
    assert again.groups == {"lakes"}
    assert asked == [EVE, EVE]
