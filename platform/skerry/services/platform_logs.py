"""Logs of the platform's own parts, for its administrator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from skerry.core.errors import NotFoundError
from skerry.core.ids import check_name
from skerry.core.scopes import Scope
from skerry.models.platform import LogList
from skerry.services.guarded_route import create_router
from skerry.services.identity import require
from skerry.services.media import sends
from skerry.storage.layout import DataFolder

_MOST_BYTES = 1 << 20


def create_logs_router(data: DataFolder) -> APIRouter:
    """Return the routes below ``/platform/logs``."""
    router = create_router(
        prefix="/platform/logs",
        tags=["platform"],
        dependencies=[Depends(require(Scope.PLATFORM_ADMIN))],
    )

    @router.get("")
    def list_logs() -> LogList:
        """List the parts that have a log."""
        return LogList(parts=sorted(path.stem for path in data.logs.glob("*.log")))

    @router.get("/{part}", **sends("text/plain"))
    def get_log(part: str, begin: Annotated[int, Query(alias="from", ge=0)] = 0) -> Response:
        """Return a log from a byte on, at most 1 MiB; ``X-Next`` is the byte of the next piece."""
        content, following = read_log_from(data, part, begin)
        return Response(
            content, media_type="text/plain; charset=utf-8", headers={"X-Next": str(following)}
        )

    return router


def read_log_from(data: DataFolder, part: str, begin: int) -> tuple[bytes, int]:
    """Return a part's log from byte `begin` on, and the byte after what is returned.

    A log that has become shorter is a new file: it is read from its start.

    Raises
    ------
    NotFoundError
        If there is no such log.
    """
    path = data.logs / f"{check_name(part, what='part')}.log"
    if not path.is_file():
        raise NotFoundError(
            f"The part {part!r} has no log.", remedy="GET /services/api/platform/logs names them."
        )
    with path.open("rb") as log:
        size = log.seek(0, 2)
        start = begin if begin <= size else 0
        log.seek(start)
        content = log.read(_MOST_BYTES)
    return content, start + len(content)
