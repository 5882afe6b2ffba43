"""Files of items: a person who may see an item may fetch its files, whole or by range."""

import mimetypes
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from stat import S_IFREG
from typing import Annotated, Any

from anyio import AsyncFile, wrap_file
from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.responses import FileResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Call

from skerry.catalog.items import find_owner_of_key, find_withdrawn_owner
from skerry.core.ownership import Viewer
from skerry.core.scopes import Scope
from skerry.services.access import check_kept, find_viewer, refuse_withdrawn
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, refuse_unseen
from skerry.services.media import sends
from skerry.services.stores import Stores
from skerry.storage.objects import OpenFile, check_key

_HEADERS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}


class OpenedFileResponse(FileResponse):
    """Sends a file that is open already, whole or the ranges that are asked for.

    Parameters
    ----------
    file
        The file, which is closed after sending.
    key
        Its key.
    """

    def __init__(self, file: OpenFile, key: str, **options: Any) -> None:
        facts = (S_IFREG, 0, 0, 1, 0, 0, file.size, 0, file.modified, 0)
        super().__init__(key, stat_result=os.stat_result(facts), **options)
        self._file = file

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Send the file or the requested range."""
        with self._file:
            await super().__call__(scope, receive, send)

    @asynccontextmanager
    async def _open_file(self) -> AsyncIterator[AsyncFile[bytes]]:
        yield wrap_file(self._file.stream)


def create_files_router(stores: Stores) -> APIRouter:
    """Return the routes below ``/files``."""
    router = create_router(tags=["files"])

    @router.head("/files/{key:path}", include_in_schema=False)
    @router.get("/files/{key:path}", **sends("*/*", partly=True))
    def get_file(
        key: str, identity: Annotated[Identity | None, Depends(identify())]
    ) -> FileResponse:
        """Send one file of an item, or a range of it."""
        check_key(key)
        with stores.reader.connect() as connection:
            is_shown = _is_shown(connection, key, viewer=find_viewer(connection, identity))
        # the store may be slow: meanwhile others use the connection
        file = stores.objects.open(key) if is_shown else None
        if file is None:
            raise refuse_unseen(identity, Scope.CATALOG_READ, f"file {key[:140]!r}")
        return OpenedFileResponse(file, key, media_type=_name_type(key), headers=_HEADERS)

    return router


def _is_shown(connection: Connection, key: str, *, viewer: Viewer) -> bool:
    """Return whether an item that the viewer sees has a file at a key, or may have.

    Raises
    ------
    WithdrawnError
        If the viewer saw it before it was withdrawn, or its bytes are not kept.
    """
    item = find_owner_of_key(connection, key, viewer=viewer)
    if item is not None:
        check_kept(item)
        return True
    withdrawn = find_withdrawn_owner(connection, key, viewer=viewer)
    if withdrawn is not None:
        raise refuse_withdrawn(withdrawn)
    return False


def _name_type(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
