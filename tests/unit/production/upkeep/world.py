"""A platform's records and bytes, written directly, with the ages that a test wants."""

import os
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, delete, insert
from tests.unit.production.conftest import ENVIRONMENT

from skerry.catalog.tables import collections, deletions, items
from skerry.core.ids import new_id
from skerry.core.time import count_microseconds, utc_now
from skerry.production.environments import digest_environment
from skerry.production.tables import attempts, jobs, releases, runs
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import open_objects
from skerry.storage.tables import grants

DAY_S = 86_400
FAMILIES = ("imports/", "sandbox/", "runs/", "releases/", "environments/")


class World:
    """Writes records and bytes.

    Parameters
    ----------
    engine, data
        The platform's.
    """

    def __init__(self, engine: Engine, data: DataFolder) -> None:
        self.engine = engine
        self.data = data
        self.objects = open_objects(data)
        self._numbers = iter(range(1_000_000))
        with engine.begin() as connection:
            for table in (attempts, items, collections, grants, deletions, runs, jobs, releases):
                connection.execute(delete(table))
        self._insert(
            collections, id="lakes", document={}, public=False, created=0, updated=0
        )  # fmt: skip
        self.release = self.add_release("approved", digest_environment(ENVIRONMENT))

    def _insert(self, table: Any, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(**values))

    def add_release(self, status: str, environment: str) -> str:
        """Record a release with its notebook, and return its id."""
        release = new_id()
        self._insert(
            releases, id=release, name="water", status=status, environment=ENVIRONMENT, schema={},
            notebook_key=f"releases/{release}/notebook.ipynb", notebook_digest="1e20cc",
            environment_digest=environment, proposed_by="ada", proposed_at=utc_now(),
            self_approved=False,
        )  # fmt: skip
        self.put(f"releases/{release}/notebook.ipynb", days=200)
        return release

    def add_job(self, *, days: int | None = None, count: int | None = None) -> str:
        """Record a job and return its id."""
        job = new_id()
        self._insert(
            jobs, id=job, name=job, release_id=self.release, parameters={}, trigger="manual",
            collection="lakes", review="none", timeout_s=60, retries=0,
            keep_days=days, keep_count=count, created_by="ada", created_at=utc_now(),
        )  # fmt: skip
        return job

    def add_run(
        self, job: str, status: str, *, epochs: int, days: float = 0, release: str | None = None
    ) -> str:
        """Record a run that ended `days` ago, with the files of its attempts; return its id."""
        run, is_over = new_id(), status not in {"queued", "running"}
        self._insert(
            runs, id=run, job_id=job, job_name=job, release_id=release or self.release,
            occurrence=f"manual/{run}", data_day="2026-01-01", partition="", parameters={},
            collection="lakes", review="none", timeout_s=60, retries=0, status=status,
            generation=0, epoch=epochs, cancel_requested=False, progress_done=0, progress_total=0,
            created_by="ada", created_at=utc_now() - timedelta(days=days + 1),
            ended_at=utc_now() - timedelta(days=days) if is_over else None,
        )  # fmt: skip
        for epoch in range(1, epochs + 1):
            for name in ("log.txt", "executed.ipynb", "products/map/x"):
                self.put(f"runs/{run}/{epoch}/{name}", days=days)
        return run

    def add_item(
        self, prefix: str, status: str = "published", *, run: str | None = None,
        digest: str = "1e20dd", created: int = 0,
    ) -> str:  # fmt: skip
        """Record an item whose bytes lie below a prefix; return its id."""
        item = f"item-{next(self._numbers)}"
        self._insert(
            items, collection="lakes", id=item, version=1, status=status, digest=digest,
            prefix=prefix, begins=0, ends=0, run=run, output=item, owner="ada", document={},
            created=created, updated=created,
        )  # fmt: skip
        return item

    def add_grant(
        self, prefix: str, *, valid: bool, purpose: str = "import",
        run: str | None = None, epoch: int | None = None,
    ) -> None:  # fmt: skip
        """Record a grant to write."""
        now = count_microseconds(utc_now())
        self._insert(
            grants, id=new_id(), mode="write", purpose=purpose, prefix=prefix, owner="ada",
            run=run, epoch=epoch, created=0, expires=now + (3600 if valid else -3600) * 1_000_000,
        )  # fmt: skip

    def note_deletion(self, prefix: str) -> None:
        """Record that bytes are to be removed."""
        self._insert(deletions, prefix=prefix, created=0)

    def put(self, key: str, *, days: float = 40, size: int = 100) -> str:
        """Write a file that was last changed `days` ago; return its key.

        A bucket takes no other time than that of the writing.
        """
        if not isinstance(self.objects, ObjectFolder):
            self.objects.write(key, b"x" * size)
            return key
        path = self.objects.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        moment = time.time() - days * DAY_S
        os.utime(path, (moment, moment))
        return key

    def list_keys(self) -> set[str]:
        """Return the keys of all files in the object store."""
        return {file.key for family in FAMILIES for file in self.objects.list_files(family)}
