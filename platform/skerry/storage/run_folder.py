"""What one attempt of a run keeps: every key below ``runs/<run>/<epoch>/``.

No other module puts these keys together. An attempt writes nowhere else, and its bytes never move.
"""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from skerry.storage.objects import ObjectFolder, check_prefix
from skerry.storage.plain_files import open_inside
from skerry.storage.writing import write_aside

_RUNS = "runs"
_RECORDS = "outputs"
_PRODUCTS = "products"


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

    objects: ObjectFolder
    run: str
    epoch: int

    @property
    def prefix(self) -> str:
        """The prefix of all its keys, with a ``/`` at its end."""
        return name_prefix(self.run, self.epoch)

    @property
    def place(self) -> Path:
        """The folder on this machine."""
        return self.objects.locate(self.prefix)

    def create(self) -> None:
        """Create the folder with those of products and their records."""
        for name in (_RECORDS, _PRODUCTS):
            self.objects.create_folder(f"{self.prefix}{name}/")

    def locate(self, file: RunFile) -> Path:
        """Return the path of a file, which need not exist."""
        return self.place / file

    def list_files(self) -> list[RunFile]:
        """Return the files that have been written."""
        return [file for file in RunFile if self.locate(file).is_file()]

    def open(self, file: RunFile) -> BinaryIO:
        """Open a file for reading.

        A notebook may write anything into its folder, so no link is followed, wherever in the
        path it is.

        Raises
        ------
        OSError
            If the attempt has not written it as a plain file.
        """
        return open_inside(self.objects.root, f"{self.prefix}{file}")

    def write(self, file: RunFile, text: str) -> None:
        """Write a file that is either absent, the old one, or complete."""
        write_aside(self.locate(file), text)

    def write_json(self, file: RunFile, value: Mapping[str, object] | Sequence[object]) -> None:
        """Write a JSON file that is either absent, the old one, or complete."""
        self.write(file, json.dumps(value, indent=1))

    def read_json(self, file: RunFile) -> Any:
        """Return the content of a JSON file, None if it is not there."""
        path = self.locate(file)
        return json.loads(path.read_text()) if path.is_file() else None

    def locate_product(self, output: str) -> Path:
        """Return the folder for an output's product."""
        return self.objects.locate(self.name_product(output))

    def name_product(self, output: str) -> str:
        """Return the prefix of an output's product."""
        return f"{self.prefix}{_PRODUCTS}/{output}/"

    def owns(self, prefix: str) -> bool:
        """Return whether a prefix lies below this folder."""
        return prefix.startswith(self.prefix)

    def has_output(self, output: str) -> bool:
        """Return whether an output's product is complete."""
        return self._locate_record(output).exists()

    def record_output(self, output: str, record: Mapping[str, object]) -> None:
        """Write the record which says that an output's product is complete."""
        path = self._locate_record(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, json.dumps(record, indent=1))

    def read_outputs(self) -> list[dict[str, Any]]:
        """Return the records of the complete outputs, sorted by output name."""
        paths = sorted((self.place / _RECORDS).glob("*.json"))
        return [json.loads(path.read_text()) for path in paths]

    def remove_products(self) -> None:
        """Remove products and their records; log and page stay."""
        for name in (_RECORDS, _PRODUCTS):
            shutil.rmtree(self.place / name, ignore_errors=True)

    def _locate_record(self, output: str) -> Path:
        return self.place / _RECORDS / f"{output}.json"


def name_prefix(run: str, epoch: int) -> str:
    """Return the prefix of an attempt's keys."""
    return check_prefix(f"{_RUNS}/{run}/{epoch}/")


def find_attempt(prefix: str) -> tuple[str, int]:
    """Return the run and the epoch in whose folder a product's prefix lies."""
    _, run, epoch, *_ = prefix.split("/")
    return run, int(epoch)


def list_run_folders(objects: ObjectFolder, run: str = "*") -> Iterator[RunFolder]:
    """List the folders of the attempts of one run or of all runs, sorted.

    What else stands there, a link for example, somebody has put there; it belongs to no attempt.
    """
    for place in sorted((objects.root / _RUNS).glob(f"{run}/*")):
        if place.name.isdecimal() and place.is_dir() and not place.is_symlink():
            yield RunFolder(objects, place.parent.name, int(place.name))


def remove_run(objects: ObjectFolder, run: str, epochs: Collection[int] = ()) -> None:
    """Remove all that a run's attempts wrote, except the attempts with the epochs `epochs`."""
    for place in (objects.root / _RUNS).glob(f"{run}/*"):
        if place.name in map(str, epochs):
            continue
        if place.is_symlink() or place.is_file():
            place.unlink(missing_ok=True)
        else:
            shutil.rmtree(place, ignore_errors=True)
