"""Files that only their owner can read, replaced whole or not at all."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, atomically.

    Parameters
    ----------
    path
        The file; its folder exists.
    text
        The whole new content.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
