"""Files of items: whoever may see the item may fetch its files, by range where they wish."""

import mimetypes
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.responses import FileResponse

from skerry.catalog.items import find_owner_of_key
from skerry.core.scopes import Scope
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, identify, refuse_unseen
from skerry.services.stores import Stores, sees_private
from skerry.storage.objects import check_key

_HEADERS = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}


def create_files_router(stores: Stores) -> APIRouter:
    """Return the routes below ``/files``."""
    router = create_router(tags=["files"])

    @router.head("/files/{key:path}", include_in_schema=False)
    @router.get("/files/{key:path}", response_class=FileResponse)
    def send_file(
        key: str, identity: Annotated[Identity | None, Depends(identify())]
    ) -> FileResponse:
        """Send one file of an item, or a range of it."""
        check_key(key)
        with stores.reader.connect() as connection:
            path = _find_file(stores, connection, key, private=sees_private(identity))
        if path is None:
            raise refuse_unseen(identity, Scope.CATALOG_READ, f"file {key[:140]!r}")
        return FileResponse(path, media_type=_name_type(path), headers=_HEADERS)

    return router


def _find_file(stores: Stores, connection: Connection, key: str, *, private: bool) -> Path | None:
    item = find_owner_of_key(connection, key)
    if item is None or not item.is_visible(private=private):
        return None
    path = stores.objects.locate(key).resolve()
    # a symbolic link must not lead from one item to another's bytes either
    if not path.is_relative_to(stores.objects.locate(item.prefix).resolve()):
        return None
    return path if path.is_file() else None


def _name_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
