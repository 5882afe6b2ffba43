"""Whether a program can do its work now, and why not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import APIRouter, Depends
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from skerry.core.problems import MEDIA_TYPE, describe_problem
from skerry.models.platform import Readiness
from skerry.services.guarded_route import create_router
from skerry.services.identity import anyone
from skerry.services.media import sends_json
from skerry.services.problems import RETRY_LATER
from skerry.storage.migrate import newest_revision, read_revision
from skerry.storage.objects import Objects

Check = Callable[[], Awaitable[str | None]]
"""Returns what is missing, in words without secrets; None when all is well."""

_WAIT_S = 3.0
_KEPT_S = 1.0


class ReadinessChecks:
    """The checks of one program; an answer is kept for a second, because everybody may ask.

    Parameters
    ----------
    checks
        What the program needs for all of its work.
    limits
        What only a part of its work needs: the program is ready without it.
    """

    def __init__(self, checks: Mapping[str, Check], limits: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._limits = dict(limits)
        self._answer: Readiness | None = None
        self._answered_at = 0.0
        self._lock = asyncio.Lock()

    async def answer(self) -> Readiness:
        """Return the newest answer."""
        async with self._lock:
            if self._answer is None or time.monotonic() - self._answered_at > _KEPT_S:
                missing, limited = await asyncio.gather(
                    _ask_all(self._checks), _ask_all(self._limits)
                )
                self._answer = Readiness(ready=not missing, missing=missing, limited=limited)
                self._answered_at = time.monotonic()
            return self._answer


async def _ask_all(checks: Mapping[str, Check]) -> dict[str, str]:
    reasons = await asyncio.gather(*map(_ask, checks.values()))
    return {
        name: reason for name, reason in zip(checks, reasons, strict=True) if reason is not None
    }


async def _ask(check: Check) -> str | None:
    try:
        return await asyncio.wait_for(check(), _WAIT_S)
    except TimeoutError:
        return f"It did not answer within {_WAIT_S:.0f} s."


def create_readiness_router(checks: ReadinessChecks) -> APIRouter:
    """Return the route ``/ready``."""
    router = create_router(tags=["platform"])

    @router.get("/ready", dependencies=[Depends(anyone())], **sends_json(Readiness))
    async def get_readiness() -> Response:
        """Say whether this program can do its work now; 503 and the reasons when it cannot."""
        answer = await checks.answer()
        if answer.ready:
            return JSONResponse(answer.model_dump())
        document = describe_problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable",
            " ".join(f"{name}: {reason}" for name, reason in answer.missing.items()),
            "Run 'skerry doctor' on the machine of the platform.",
        )  # fmt: skip
        return JSONResponse(
            document.model_dump() | answer.model_dump(),
            HTTPStatus.SERVICE_UNAVAILABLE,
            RETRY_LATER,
            media_type=MEDIA_TYPE,
        )

    return router


def check_schema(engine: Engine) -> Check:
    """Return a check that the database answers and has this Skerry's schema."""

    def ask() -> str | None:
        try:
            revision = read_revision(engine)
        except SQLAlchemyError:
            return "The database does not answer."
        if revision is None:
            return "The database has no tables yet."
        if revision != newest_revision():
            return f"The database has schema {revision}, this Skerry has {newest_revision()}."
        return None

    return lambda: run_in_threadpool(ask)


def check_objects(objects: Objects, *, for_writing: bool) -> Check:
    """Return a check that the object store can be read, and written where that is needed."""

    def ask() -> str | None:
        return objects.find_fault(for_writing=for_writing)

    return lambda: run_in_threadpool(ask)
