"""Auxiliary data: coefficients, networks, climatologies in versioned folders of the user.

Processors cannot reach files. They get such a folder as a read-only mapping from file name to
content. A file is read when a processor looks it up, and its digest goes to the manifest.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from skerry.core.digests import digest_bytes, digest_file
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.ids import check_name

MAX_FILE_BYTES = 1 << 30
"""Largest auxiliary file that is read: coefficients and nets have kilobytes to some 100 MB."""


class AuxiliaryFolder(Mapping[str, bytes]):
    """A version of a family of auxiliary files.

    Parameters
    ----------
    name
        Name of the family in payloads and manifests.
    folder
        The folder as the user named it.
    version
        Name of a folder in it; if None, `folder` itself is the version, and its name is the
        version's name.

    Attributes
    ----------
    used
        Names of the files that were looked up, and their digests.

    Raises
    ------
    NotFoundError
        If the folder or version does not exist.
    InvalidInputError
        If it has no file, or the version is not a name.
    """

    def __init__(self, name: str, folder: Path, version: str | None = None) -> None:
        self.name = name
        if version is not None:
            check_name(version, what=f"version of the auxiliary data {name!r}")
        self.root = (folder if version is None else folder / version).absolute()
        self.version = version or self.root.name
        self.used: dict[str, str] = {}
        if not folder.is_dir():
            raise NotFoundError(
                f"The folder {folder} of the auxiliary data {name!r} does not exist.",
                remedy="Name the folder that holds them.",
            )
        if not self.root.is_dir():
            there = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir()))
            raise NotFoundError(
                f"The auxiliary data {name!r} have no version {version!r} in {folder}.",
                remedy=f"There are: {there}." if there else "It has no version: name the folder.",
            )
        self._files = sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file()
        )
        if not self._files:
            raise InvalidInputError(
                f"The folder {self.root} of the auxiliary data {name!r} has no file.",
                remedy="Name a folder with files, or a version of it.",
            )

    def __getitem__(self, file: str) -> bytes:
        """Read a file.

        Raises
        ------
        NotFoundError
            If the folder has no file of this name.
        InvalidInputError
            If it is larger than `MAX_FILE_BYTES`.
        """
        if file not in self._files:
            raise NotFoundError(
                f"The auxiliary data {self.name!r} have no file {file!r} in {self.root}.",
                remedy=f"There are: {', '.join(self._files[:20])}.",
            )
        path = self.root / file
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInputError(
                f"{path} has {path.stat().st_size} bytes, too many for auxiliary data.",
                remedy=f"Give files of at most {MAX_FILE_BYTES} bytes.",
            )
        content = path.read_bytes()
        self.used[file] = digest_bytes(content)
        return content

    def __contains__(self, file: object) -> bool:
        return file in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def describe(self) -> dict[str, object]:
        """Return the manifest's record: folder, version, digest of every file looked up."""
        return {"folder": str(self.root), "version": self.version, "files": dict(self.used)}


def find_changes(record: Mapping[str, object]) -> list[str]:
    """Return the files that changed since `AuxiliaryFolder.describe` made the record."""
    root, files = Path(str(record["folder"])), record["files"]
    if not isinstance(files, dict):
        return [str(root)]
    return [
        str(root / name)
        for name, digest in files.items()
        if not (root / name).is_file() or digest_file(root / name) != digest
    ]
