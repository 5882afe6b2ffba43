"""The workflow engine's records of finished work, removed by its own public functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import batched

from dbos import DBOSClient
from sqlalchemy import Engine, inspect, select

from skerry.core.time import format_time
from skerry.models.upkeep import Kind
from skerry.production.runs import ACTIVE
from skerry.production.tables import runs
from skerry.production.upkeep.removable import Removable
from skerry.production.workflow import open_client, workflow_id
from skerry.storage.database import find_database, is_server, open_workflows, reading
from skerry.storage.layout import DataFolder

_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_BATCH = 500


def list_history(
    engine: Engine, data: DataFolder, before: datetime, days: int
) -> Iterator[Removable]:
    """List the workflows that have been finished for longer than `days` before a moment.

    The workflow of a run that is still under way stays, so that its result is not lost.
    """
    with _open_client(data) as client:
        if client is None:
            return
        finished = client.list_workflows(
            status=_FINISHED, completed_before=format_time(before - timedelta(days=days)),
            load_input=False, load_output=False,
        )  # fmt: skip
    with reading(engine) as connection:
        query = select(runs.c.id, runs.c.generation).where(runs.c.status.in_(ACTIVE))
        active = {workflow_id(row.id, row.generation) for row in connection.execute(query)}
    names = [item.workflow_id for item in finished if item.workflow_id not in active]
    for batch in batched(names, _BATCH):
        name = f"{batch[0]} to {batch[-1]}" if len(batch) > 1 else batch[0]
        yield Removable(Kind.HISTORY, name, 0, partial(_forget, data, list(batch)), len(batch))


def _forget(data: DataFolder, names: list[str]) -> bool:
    with _open_client(data) as client:
        if client is not None:
            client.delete_workflows(names)
    return True


@contextmanager
def _open_client(data: DataFolder) -> Iterator[DBOSClient | None]:
    """Open the engine's tables; None if it has none yet."""
    url = find_database(data)
    if not is_server(url) and not data.workflows.is_file():
        yield None
        return
    engine = open_workflows(url, data.workflows)
    try:
        schema = "dbos" if is_server(url) else None
        if not inspect(engine).has_table("workflow_status", schema=schema):
            yield None
            return
        client = open_client(engine)
        yield client
        client.destroy()
    finally:
        engine.dispose()
