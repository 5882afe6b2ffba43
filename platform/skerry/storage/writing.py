"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_aside(path: Path, text: str) -> None:
    """Write a text file so that readers, and a crash, find the old one, none, or all of it.

    Parameters
    ----------
    path
        The file; its folder exists. The piece beside it is hidden and named after the process.
    text
        The whole new content, written as UTF-8.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with aside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
