"""Files of items: a person who may see an item may fetch its files, whole or by range."""

import mimetypes
import os
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.responses import FileResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Call

from skerry.catalog.items import find_owner_of_key
from skerry.core.scopes import Scope
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, refuse_unseen
from skerry.services.media import sends
from skerry.services.stores import Stores, sees_private
from skerry.storage.beneath import open_beneath
from skerry.storage.objects import check_key

_HEADERS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}


class OpenedFileResponse(FileResponse):
    """Sends a file that is open already, so that no link can replace it meanwhile.

    Parameters
    ----------
    file
        The file's descriptor, which is closed after sending.
    """

    def __init__(self, file: int, **options: Any) -> None:
        super().__init__(f"/proc/self/fd/{file}", **options)
        self._file = file

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Send the file or the requested range."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._file)


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
            file = _open_file(stores, connection, key, private=sees_private(identity))
        if file is None:
            raise refuse_unseen(identity, Scope.CATALOG_READ, f"file {key[:140]!r}")
        return OpenedFileResponse(file, media_type=_name_type(key), headers=_HEADERS)

    return router


def _open_file(stores: Stores, connection: Connection, key: str, *, private: bool) -> int | None:
    item = find_owner_of_key(connection, key)
    if item is None or not item.is_visible(private=private):
        return None
    try:
        return open_beneath(stores.objects.root, key)
    except FileNotFoundError:
        return None


def _name_type(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
