#!/opt/skerry/bin/python -I
"""Is the part in this container alive? Exit code 0 or 1, and a sentence: ``skerry-health [PART]``.

PART is api, maps, worker, dashboards, hub or server (a person's JupyterLab); without it, the name
in ``JUPYTERHUB_SERVICE_NAME``, else the part that the image is made for. Needs nothing but Python.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

_BEAT_S = 15.0
_PATIENCE_S = 4.0
_ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - nothing listens there, this is what it is told


def main(arguments: list[str]) -> int:
    """Say how the part is."""
    named = os.environ.get("JUPYTERHUB_SERVICE_NAME") or os.environ.get("SKERRY_PART", "")
    part = arguments[0] if arguments else named
    complaint = look_at_beat() if part == "worker" else ask(find_address(part))
    print(complaint or f"{part} is alive")
    return 1 if complaint else 0


def find_address(part: str) -> str:
    """Return the address that answers while the part lives."""
    given = os.environ.get("SKERRY_LISTEN_HOST", "")
    host = "127.0.0.1" if given in _ANY_ADDRESS else given
    host = f"[{host}]" if ":" in host else host
    if part == "hub":
        return "http://127.0.0.1:8081" + os.environ.get("SKERRY_HUB_PREFIX", "/hub/") + "health"
    if part == "server":
        return "http://127.0.0.1:8888" + os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/") + "api"
    if part in {"api", "maps", "dashboards"}:
        return f"http://{host}:{os.environ.get('SKERRY_SERVICE_PORT', '')}/services/{part}/health"
    sys.exit(f"{part!r} is no part: name api, maps, worker, dashboards, hub or server.")


def ask(address: str) -> str | None:
    """Return why an address does not answer as it should, or None."""
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_S):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"{address} answers {error.code}"
    except (OSError, ValueError) as error:
        return f"{address} does not answer: {error}"


def look_at_beat() -> str | None:
    """Return why the worker's file does not show a living worker, or None."""
    beat = Path(os.environ.get("SKERRY_DATA", "/data")) / "run" / "worker.ready"
    try:
        silence = time.time() - beat.stat().st_mtime
    except OSError:
        return f"{beat} is not there: the worker is not ready"
    return None if silence < _BEAT_S else f"the worker has shown nothing for {silence:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
