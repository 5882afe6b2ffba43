"""The object store in an S3 bucket, or below a prefix in one."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlsplit

from blake3 import blake3

from skerry.core.addresses import leave_out_buckets
from skerry.core.digests import digest_json, digest_pieces, digest_tree
from skerry.core.errors import SkerryError
from skerry.storage.at_once import do_at_once
from skerry.storage.bucket_failures import explain_failure, refuse_change
from skerry.storage.granted import connect
from skerry.storage.growing_reads import LARGEST_READ, GrowingReads
from skerry.storage.object_folder import refuse_absent, refuse_part
from skerry.storage.objects import ALL, OpenFile, StoredFile, check_key, check_prefix
from skerry.storage.remote import RemotePath, read_code
from skerry.storage.s3 import list_below, list_level
from skerry.storage.timing import timing
from skerry.storage.web import TemporaryError, persist

LARGEST_COPY = 2**30
"""The most bytes that the store copies in one request, which has to be answered within a minute."""

_SAVE_EVERY_S = 5.0


@dataclass(frozen=True)
class Bucket:
    """A bucket used as an object store; see `skerry.storage.objects.Objects`.

    What is written appears whole, or not at all, because S3 shows an object when all of it is
    there. A folder of files appears file by file, so nothing names it before all are there.

    Attributes
    ----------
    url
        ``s3://bucket/prefix``, without a ``/`` at its end.
    """

    url: str

    @property
    def address(self) -> str:
        """The root as an ``s3://`` address that ends in ``/``."""
        return f"{self.url}/"

    def _open(self, key: str) -> Any:
        """Return the client's store, with the credentials that open a key or prefix."""
        parts = urlsplit(self.url)
        return connect(parts.netloc, key, parts.path.strip("/") or None)

    def locate(self, key: str) -> RemotePath:
        """Return the address of a key or prefix, which need not exist."""
        return RemotePath(f"{self.url}/{quote(check_key(key.removesuffix('/')))}")

    def find_fault(self, *, for_writing: bool) -> str | None:  # noqa: ARG002 - asked at the start
        """Return why the bucket cannot be read now, and not where it is; None if it can be read."""
        try:
            self.check()
        except SkerryError as error:
            return leave_out_buckets(error.what)
        return None

    def check(self) -> None:
        """List the bucket, which fails if it does not exist or does not answer."""
        self._is_any_below("")

    def exists(self, key: str) -> bool:
        """Return whether there is a file at a key, or anything below it."""
        if key.endswith("/"):
            return self._is_any_below(check_prefix(key))
        return self._find(check_key(key)) is not None or self._is_any_below(f"{key}/")

    def read(self, key: str, part: slice = ALL, *, most: int | None = None) -> bytes | None:
        """Return a file or a part of it, None if there is no such file."""
        check_key(key)
        if part.stop is not None and part.start is not None and part.stop <= part.start:
            return None if self._find(key) is None else b""
        return persist(lambda: self._read(key, part, most))

    def _read(self, key: str, part: slice, most: int | None) -> bytes | None:
        with self._explaining(key, "read"):
            try:
                answer = self._open(key).get(key, options=_write_range(part))
            except Exception as error:
                code = read_code(error)
                if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
                    return None
                if code == "InvalidRange" or "bytes 0--1/0" in str(error):  # it is empty
                    return b""
                raise
            start, stop = answer.range
            if most is not None and stop - start > most:
                raise refuse_part(key, stop - start, most)
            content = bytes(answer.bytes())
        if len(content) != stop - start:
            raise TemporaryError(
                f"{self.url}/{key} sent {len(content)} of {stop - start} bytes.",
                remedy="Try again.",
            )
        return content

    def open(self, key: str) -> OpenFile | None:
        """Open a file for reading by ranges, which grow while it is read from start to end."""
        file = self._find(check_key(key))
        if file is None:
            return None
        stream = GrowingReads(lambda start, stop: self.read(key, slice(start, stop)), file.size)
        return OpenFile(io.BufferedReader(stream, 2**16), file.size, file.modified)

    def write(self, key: str, content: bytes) -> None:
        """Write a file whole, over an older one if there is one."""
        self._put(check_key(key), content)

    def write_once(self, key: str, content: bytes) -> bool:
        """Write a file whole unless there is one; return whether it was written."""
        from obstore.exceptions import AlreadyExistsError

        with self._explaining(check_key(key), "write"):
            try:
                self._open(key).put(key, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def _put(self, key: str, content: bytes | Path) -> None:
        with self._explaining(key, "write"):
            self._open(key).put(key, content)

    def list_names(self, prefix: str) -> list[str]:
        """Return the names right below a prefix, sorted; those of folders end in ``/``."""
        start = len(check_prefix(prefix))
        with self._explaining(prefix, "list"):
            folders, files = list_level(self._open(prefix), prefix)
        names = [f"{folder.rstrip('/')[start:]}/" for folder in folders]
        return sorted([*names, *(str(file["path"])[start:] for file in files)])

    def list_files(self, prefix: str, *, deep: bool = True) -> Iterator[StoredFile]:
        """List all files below a prefix, or if not `deep` only those right below it."""
        check_prefix(prefix)
        if not deep:
            with self._explaining(prefix, "list"):
                _, files = list_level(self._open(prefix), prefix)
            yield from map(_describe, files)
            return
        for batch in self._list(prefix):
            yield from map(_describe, batch)

    def digest(self, prefix: str) -> str | None:
        """Return the digest of the files below a prefix, all of which are read."""
        keys = persist(lambda: [file.key for file in self.list_files(prefix)])
        if not keys:
            return None

        def read(key: str) -> tuple[str, str]:
            with self._open_present(key, prefix) as opened:
                pieces = iter(lambda: opened.stream.read(LARGEST_READ), b"")
                return key.removeprefix(prefix), digest_pieces(pieces)

        return digest_json(dict(do_at_once(lambda key: persist(lambda: read(key)), keys)))

    def _open_present(self, key: str, prefix: str) -> OpenFile:
        file = self.open(key)
        if file is None:
            raise refuse_change(self.url, prefix)
        return file

    def measure(self, key: str) -> int:
        """Return how many bytes a file, or all below a prefix, has."""
        if key and not key.endswith("/"):
            file = self._find(check_key(key))
            return 0 if file is None else file.size
        return sum(item["size"] for batch in self._list(key) for item in batch)

    def prepare(self, prefix: str) -> None:
        """Do nothing: a bucket has no folders."""
        check_prefix(prefix)

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a prefix."""
        if not key.endswith("/"):
            self._delete([check_key(key)])
            return
        for batch in self._list(check_prefix(key)):
            self._delete([item["path"] for item in batch])

    def _delete(self, keys: list[str]) -> None:
        if keys:
            with self._explaining(keys[0], "remove"):
                self._open(keys[0]).delete(keys)

    def copy_below(self, source: str, target: str) -> list[str]:
        """Let the store copy the files below a prefix to another; no byte leaves the store.

        A file that is removed meanwhile is left out. Who needs all files compares the digest.

        Returns
        -------
        list of str
            The keys of the copies.
        """
        sizes = persist(lambda: {file.key: file.size for file in self.list_files(source)})

        def copy(key: str) -> str | None:
            copied = target + key.removeprefix(source)
            with self._explaining(key, "copy"), suppress(FileNotFoundError):
                self._copy(key, copied, sizes[key])
                return copied
            return None

        return list(filter(None, do_at_once(lambda key: persist(lambda: copy(key)), sizes)))

    def _copy(self, source: str, target: str, size: int) -> None:
        import obstore

        store = self._open(source)
        if size <= LARGEST_COPY:
            obstore.copy(store, source, target)
        elif (file := self.open(source)) is not None:
            with file, obstore.open_writer(store, target) as writer:
                while piece := file.stream.read(LARGEST_READ):
                    writer.write(piece)

    @contextmanager
    def filling(self, prefix: str) -> Iterator[Path]:
        """Give a temporary folder whose files are sent after the block."""
        check_prefix(prefix)
        with TemporaryDirectory(prefix="skerry-objects-") as folder:
            yield Path(folder)
            self._send(Path(folder), prefix)

    @contextmanager
    def replacing(self, prefix: str) -> Iterator[Path]:
        """Give a temporary folder whose files are sent after the block; others go then."""
        before = {file.key for file in self.list_files(prefix)}
        with TemporaryDirectory(prefix="skerry-objects-") as folder:
            yield Path(folder)
            self._delete(sorted(before - self._send(Path(folder), prefix)))

    def _send(self, folder: Path, prefix: str) -> set[str]:
        """Send the plain files of a folder; return their keys."""

        def send(path: Path) -> str:
            key = check_key(prefix + path.relative_to(folder).as_posix())
            self._put(key, path)
            return key

        paths = folder.rglob("*")
        return set(
            do_at_once(send, (path for path in paths if path.is_file() and not path.is_symlink()))
        )

    def copy_to(self, prefix: str, folder: Path) -> str:
        """Copy the files below a prefix into a folder; return the digest of what was read."""

        def fetch(key: str) -> None:
            path = folder / key.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._open_present(key, prefix) as file, path.open("wb") as target:
                while piece := file.stream.read(LARGEST_READ):
                    target.write(piece)

        before, after = blake3(), blake3()
        if not sum(1 for _ in do_at_once(fetch, self._list_marked(prefix, before))):
            raise refuse_absent(prefix)
        for _ in self._list_marked(prefix, after):
            pass
        if before.digest() != after.digest():
            raise refuse_change(self.url, prefix)
        return digest_tree(folder, links=False)

    @contextmanager
    def copied(self, prefix: str) -> Iterator[Path]:
        """Give a temporary folder with the files below a prefix."""
        with TemporaryDirectory(prefix="skerry-objects-") as folder:
            if self.exists(prefix):
                self.copy_to(prefix, Path(folder))
            yield Path(folder)

    def append(self, key: str, scratch: Path) -> "SentFile":
        """Return a file at `scratch`, which is sent when it is saved."""
        if not scratch.exists():
            scratch.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch.write_bytes(self.read(key) or b"")
        return SentFile(scratch, self, key)

    def _find(self, key: str) -> StoredFile | None:
        with self._explaining(key, "find"):
            try:
                return _describe(self._open(key).head(key))
            except FileNotFoundError:  # for a missing bucket, too: its answer has no body
                return None

    def _is_any_below(self, prefix: str) -> bool:
        return any(batch for batch in self._list(prefix))

    def _list(self, prefix: str) -> Iterator[list[Any]]:
        batches = list_below(self._open(prefix), prefix or None)
        while True:
            with self._explaining(prefix, "list"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _list_marked(self, prefix: str, state: blake3) -> Iterator[str]:
        """List all keys; feed them with their entity tags, which change with the bytes, to a hash.

        Neither are ever all in memory.
        """
        for batch in self._list(prefix):
            for item in batch:
                state.update(f"{item['path']} {item['e_tag']}\n".encode())
                yield str(item["path"])

    @contextmanager
    def _explaining(self, key: str, operation: str) -> Iterator[None]:
        """Time a request, and turn errors of the store's client into sentences with a remedy.

        The client's own words are left out: they hold whole answers and addresses.
        """
        from obstore.exceptions import BaseError

        try:
            with timing("bucket", operation):
                yield
        except (BaseError, OSError) as error:
            raise explain_failure(error, self.url, key) from None


@dataclass(frozen=True)
class SentFile:
    """A file on this machine that is sent to a bucket as a whole when it is saved."""

    path: Path
    bucket: Bucket
    key: str

    def save(self, *, at_once: bool = True) -> None:
        """Send the file if it has grown; unless `at_once`, only every few seconds."""
        mark = self.path.with_name(f"{self.path.name}.sent")
        sent, at = -1, 0.0
        if mark.exists():
            sent, at = int(mark.read_text() or -1), mark.stat().st_mtime
        size = self.path.stat().st_size
        if size == sent or not (at_once or time.time() - at > _SAVE_EVERY_S):
            return
        self.bucket.write(self.key, self.path.read_bytes())
        mark.write_text(str(size))


def _describe(item: Any) -> StoredFile:
    return StoredFile(str(item["path"]), int(item["size"]), item["last_modified"].timestamp())


def _write_range(part: slice) -> Any:
    """Return a part of a file as obstore's options write it."""
    if part.start is not None and part.start < 0:
        return {"range": {"suffix": -part.start}}
    if part.stop is not None:
        return {"range": (part.start or 0, part.stop)}
    return {"range": {"offset": part.start}} if part.start else None
