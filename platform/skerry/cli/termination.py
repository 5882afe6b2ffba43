"""Ends commands on SIGTERM without leaving half-written files."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TERMINATED = 143
"""Exit code of a process that SIGTERM ends: 128 + 15."""


@contextmanager
def clean_up_when_told_to_end() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that half-written files are removed.

    A context manager, or a decorator of a command: ``@clean_up_when_told_to_end()``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set a handler
        return

    def leave(_number: int, _frame: object) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
