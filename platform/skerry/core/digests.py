"""Content digests: BLAKE3, written as a multihash so that STAC's file extension can carry them.

Source: the BLAKE3 specification (O'Connor et al., 2020); multihash code 0x1e, length 0x20, as
registered in the multiformats table.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from blake3 import blake3

_MULTIHASH_PREFIX = "1e20"
_DIGEST = re.compile(_MULTIHASH_PREFIX + "[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Return whether `text` is a digest in this module's form."""
    return _DIGEST.fullmatch(text) is not None


def digest_bytes(data: bytes) -> str:
    """Return the digest of `data` as a lower-case hexadecimal multihash (68 characters)."""
    return _MULTIHASH_PREFIX + blake3(data).hexdigest()


def digest_pieces(pieces: Iterable[bytes]) -> str:
    """Return the digest of bytes that come in pieces: that of all of them joined."""
    state = blake3()
    for piece in pieces:
        state.update(piece)
    return _MULTIHASH_PREFIX + state.hexdigest()


def digest_file(path: Path) -> str:
    """Return the digest of one file's content, read through a memory map."""
    if path.stat().st_size == 0:
        return digest_bytes(b"")
    return _MULTIHASH_PREFIX + blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()


def digest_tree(root: Path, *, ignore: Iterable[str] = (), links: bool = True) -> str:
    """Return the digest of a file, or of a folder's relative file names and contents.

    Parameters
    ----------
    root
        A file or a folder. Order of creation, times and modes do not count.
    ignore
        Names of files or folders to leave out at any depth.
    links
        Whether links to files count as the files.
    """
    if root.is_file():
        return digest_file(root)
    return digest_json(list_digests(root, ignore=ignore, links=links))


def list_digests(root: Path, *, ignore: Iterable[str] = (), links: bool = True) -> dict[str, str]:
    """Return the digest of each file below a folder, by its path relative to the folder."""
    skipped = set(ignore)
    return {
        path.relative_to(root).as_posix(): digest_file(path)
        for path in root.rglob("*")
        if path.is_file()
        and (links or not path.is_symlink())
        and skipped.isdisjoint(path.relative_to(root).parts)
    }


def digest_part(listing: Mapping[str, str], path: str) -> str:
    """Return the `digest_tree` of a file or folder, from a listing that contains it.

    Parameters
    ----------
    listing
        As `list_digests` returns it.
    path
        Path of the file or folder, relative to the listed folder.
    """
    if path in listing:
        return listing[path]
    below = f"{path}/"
    return digest_json(
        {
            name.removeprefix(below): digest
            for name, digest in listing.items()
            if name.startswith(below)
        }
    )


def digest_json(value: Mapping[str, object] | list[object]) -> str:
    """Return the digest of a JSON value in a canonical form (sorted keys, no white space)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_bytes(text.encode())


def short_digest(digest: str) -> str:
    """Return the first twelve hexadecimal digits after the multihash prefix, for people."""
    return digest.removeprefix(_MULTIHASH_PREFIX)[:12]


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret, to compare or name the secret without storing it."""
    return hashlib.sha256(secret.encode()).hexdigest()
