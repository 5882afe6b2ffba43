"""What one attempt of a run keeps: every key below ``runs/<run>/<epoch>/``.

No other module puts these keys together. An attempt writes nowhere else.
"""

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from skerry.core.errors import NotFoundError, SkerryError
from skerry.storage.homes import find_written
from skerry.storage.objects import (
    ALL,
    Objects,
    OpenFile,
    StoredFile,
    WorkingFile,
    check_key,
    check_prefix,
)

_LOG = logging.getLogger(__name__)
RUNS = "runs/"
"""The prefix of all attempts."""
_RECORDS = "outputs"
_PRODUCTS = "products"
UNFINISHED = ".partial/"
"""End of the names of folders in which files are written aside (`skerry.storage.writing`)."""


class RunFile(StrEnum):
    """The files of an attempt that are not products."""

    LOG = "log.txt"
    EXECUTED = "executed.ipynb"
    PAGE = "executed.html"
    MANIFEST = "manifest.json"
    INPUTS = "inputs.json"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one attempt in the object store.

    Attributes
    ----------
    objects
        The object store.
    run, epoch
        The attempt.
    """

    objects: Objects
    run: str
    epoch: int

    @property
    def prefix(self) -> str:
        """The prefix of all its keys, with a ``/`` at its end."""
        return name_prefix(self.run, self.epoch)

    def create(self) -> None:
        """Make ready for products and their records."""
        for name in (_RECORDS, _PRODUCTS):
            self.objects.prepare(f"{self.prefix}{name}/")

    def list_files(self) -> dict[RunFile, StoredFile]:
        """Return the files that have been written, in the order of `RunFile`."""
        files = {file.key: file for file in self.objects.list_files(self.prefix, deep=False)}
        return {file: files[key] for file in RunFile if (key := f"{self.prefix}{file}") in files}

    def open(self, file: RunFile) -> OpenFile:
        """Open a file for reading.

        A notebook may write anything into its folder, so no link is followed, wherever in the
        path it is.

        Raises
        ------
        NotFoundError, ForbiddenError
            If the attempt has not written it, or not as a plain file.
        """
        opened = self.objects.open(f"{self.prefix}{file}")
        if opened is None:
            raise NotFoundError(
                f"Attempt {self.epoch} of the run {self.run} has no {file}.",
                remedy="Wait until the attempt has written it.",
            )
        return opened

    def read(self, file: RunFile, part: slice = ALL) -> bytes | None:
        """Return a file or a part of it, None if it is not there; no link is followed."""
        return self.objects.read(f"{self.prefix}{file}", part)

    def write(self, file: RunFile, text: str) -> None:
        """Write a file that is either absent, the old one, or complete."""
        self.objects.write(f"{self.prefix}{file}", text.encode())

    def write_json(self, file: RunFile, value: Mapping[str, object] | Sequence[object]) -> None:
        """Write a JSON file that is either absent, the old one, or complete."""
        self.write(file, json.dumps(value, indent=1))

    def read_json(self, file: RunFile) -> Any:
        """Return the content of a JSON file, None if it is not there."""
        content = self.read(file)
        return None if content is None else json.loads(content)

    def append_log(self, scratch: Path) -> WorkingFile:
        """Return the log to append to; `scratch` is its place if the store itself gives none."""
        return self.objects.append(f"{self.prefix}{RunFile.LOG}", scratch)

    def replace_log(self, content: bytes) -> None:
        """Write the whole log, as far as it is known now."""
        self.objects.write(f"{self.prefix}{RunFile.LOG}", content)

    def replace_product(self, output: str) -> AbstractContextManager[Path]:
        """Give an empty folder to write an output's product into; see `Objects.replacing`."""
        return self.objects.replacing(self.name_product(output))

    def name_product(self, output: str) -> str:
        """Return the prefix of an output's product."""
        return check_prefix(f"{self.prefix}{_PRODUCTS}/{output}/")

    def has_output(self, output: str) -> bool:
        """Return whether an output's product is complete."""
        return self.objects.exists(self._name_record(output))

    def record_output(self, output: str, record: Mapping[str, object]) -> None:
        """Write the record which says that an output's product is complete."""
        self.objects.write(self._name_record(output), json.dumps(record, indent=1).encode())

    def read_outputs(self) -> list[dict[str, Any]]:
        """Return the records of the complete outputs, sorted by output name."""
        names = self.objects.list_names(f"{self.prefix}{_RECORDS}/")
        keys = [f"{self.prefix}{_RECORDS}/{name}" for name in names if name.endswith(".json")]
        contents = [self.objects.read(key) for key in keys]
        return [json.loads(content) for content in contents if content is not None]

    def remove_products(self) -> None:
        """Remove products and their records; log and page stay."""
        for name in (_RECORDS, _PRODUCTS):
            _remove(self.objects, f"{self.prefix}{name}/")

    def remove_unfinished(self) -> None:
        """Remove what a process that was killed had written of a file: nobody completes it."""
        for name in self.objects.list_names(self.prefix):
            if name.startswith(".") and name.endswith(UNFINISHED):
                _remove(self.objects, f"{self.prefix}{name}")

    def _name_record(self, output: str) -> str:
        return check_key(f"{self.prefix}{_RECORDS}/{output}.json")


def name_prefix(run: str, epoch: int) -> str:
    """Return the prefix of an attempt's keys."""
    return check_prefix(f"{RUNS}{run}/{epoch}/")


def find_attempt(prefix: str) -> tuple[str, int]:
    """Return the run and the epoch in whose folder the bytes at a prefix were written."""
    _, run, epoch, *_ = find_written(prefix).split("/")
    return run, int(epoch)


def list_run_folders(objects: Objects, run: str | None = None) -> Iterator[RunFolder]:
    """List the folders of the attempts of one run or of all runs, sorted.

    What else stands there, a link for example, somebody has put there; it belongs to no attempt.
    """
    for name in [f"{run}/"] if run else objects.list_names(RUNS):
        for below in objects.list_names(f"{RUNS}{name}") if name.endswith("/") else ():
            if below.endswith("/") and below[:-1].isdecimal():
                yield RunFolder(objects, name[:-1], int(below[:-1]))


def remove_run(objects: Objects, run: str, epochs: Collection[int] = ()) -> None:
    """Remove all that a run's attempts wrote, except the attempts with the epochs `epochs`."""
    for name in objects.list_names(check_prefix(f"{RUNS}{run}/")):
        if name.removesuffix("/") not in map(str, epochs):
            _remove(objects, f"{RUNS}{run}/{name}")


def _remove(objects: Objects, key: str) -> None:
    """Remove a file or a prefix. What cannot be removed stays; upkeep finds it later."""
    try:
        objects.remove(key)
    except (OSError, SkerryError) as error:
        _LOG.warning("The bytes at %s cannot be removed now: %s", key, error)
