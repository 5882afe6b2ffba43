"""Before a part works: its database and its object store must be such that it can.

On one machine a part that cannot use them ends with a sentence for the person who started it. On
Kubernetes nobody stands beside it, and a pod that ends is started again after longer and longer
pauses. There the part waits (`SKERRY_WAIT_FOR_STATE`): it answers, its ``/ready`` says what is
missing, and it begins by itself once nothing is.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator

from skerry.core.errors import SkerryError
from skerry.core.logs import configure_logs
from skerry.core.settings import ServiceSettings, read_switch
from skerry.services.application import create_application, open_server
from skerry.services.readiness import Check, check_objects, check_schema
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import check_usable
from skerry.storage.object_places import open_objects
from skerry.storage.platform_mark import check_store

WAIT_VARIABLE = "SKERRY_WAIT_FOR_STATE"

_PAUSE_S = 1.0
_LOG = logging.getLogger("skerry.start")


def reach_state(data: DataFolder, *, prefix: str, writing: bool) -> None:
    """Return when database and object store can be used.

    Parameters
    ----------
    data
        The data folder; where the part waits, its missing folders are made.
    prefix
        The part's public path, below which it answers while it waits.
    writing
        Whether the part writes; maps only reads.

    Raises
    ------
    SkerryError
        If a setting is wrong, or if it does not wait and cannot use them.
    """
    if not read_switch(WAIT_VARIABLE, default="off"):
        _check_state(data, writing=writing)
        return
    configure_logs()
    data.create()
    find_database(data)  # refuses an address that never becomes right
    open_objects(data)
    fault = _find_fault(data, writing=writing)
    if fault is None:
        return
    with _answer_meanwhile(data, prefix, writing=writing):
        told = None
        while fault is not None:
            if str(fault) != told:
                told = str(fault)
                _LOG.error("%s waits: %s", prefix.rpartition("/")[2], told)
            time.sleep(_PAUSE_S)
            fault = _find_fault(data, writing=writing)
    _LOG.info("%s begins: database and object store can be used.", prefix.rpartition("/")[2])


def _check_state(data: DataFolder, *, writing: bool) -> None:
    check_usable(data, writing=writing)
    check_store(data, writing=writing)


def _find_fault(data: DataFolder, *, writing: bool) -> SkerryError | None:
    try:
        _check_state(data, writing=writing)
    except SkerryError as error:
        return error
    return None


@contextlib.contextmanager
def _answer_meanwhile(data: DataFolder, prefix: str, *, writing: bool) -> Iterator[None]:
    """Answer ``/health``, and in ``/ready`` what is missing; without a port answer nothing."""
    if not os.environ.get("SKERRY_SERVICE_PORT"):
        yield
        return
    settings = ServiceSettings.from_environment()
    engine = open_database(find_database(data), read_only=True)
    app = create_application(
        settings, [], "Skerry, waiting", prefix=prefix,
        checks={
            "database": check_schema(engine),
            "objects": check_objects(open_objects(data), for_writing=writing),
            "start": _is_waiting(),
        },
    )  # fmt: skip
    server, sockets = open_server(app, settings)
    thread = threading.Thread(target=server.run, args=(sockets,), name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        engine.dispose()


def _is_waiting() -> Check:
    """Return a check that is never fulfilled: database and objects may be well and not ours."""

    async def ask() -> str | None:
        return "It waits until it can use its database and its object store; its log says why."

    return ask
