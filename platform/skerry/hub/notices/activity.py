"""A kernel at work is use of a server, however long it prints nothing.

Jupyter remembers when a kernel said something last. That goes to the hub, which ends servers that
nobody uses: without this, in the middle of a long quiet cell whose page is closed.
"""

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from tornado.ioloop import PeriodicCallback

SETTING = "skerry_kernels_last_activity"
"""Jupyter counts all settings of an application whose names end like this."""
_LOOK_S = 20
_BUSY = "busy"


def follow_kernels(server: Any) -> None:
    """Look at a server's kernels as long as it is there."""

    def look() -> None:
        note_work(server.web_app.settings, server.kernel_manager)

    PeriodicCallback(look, _LOOK_S * 1000).start()


def note_work(settings: MutableMapping[str, Any], kernels: Any) -> None:
    """Remember that the server is used now, if any of its kernels is at work."""
    for name in kernels.list_kernel_ids():
        if getattr(kernels.get_kernel(name), "execution_state", None) == _BUSY:
            settings[SETTING] = datetime.now(UTC)
            return
