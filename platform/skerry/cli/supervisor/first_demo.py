"""The demo of the first start, which runs once in the life of a data folder."""

import json
import os
import subprocess
import sys

import httpx
from rich.console import Console

from skerry.cli.supervisor.child import end_with_parent
from skerry.cli.supervisor.plan import Plan
from skerry.core.settings import API_PREFIX, platform_secrets
from skerry.core.time import format_time, utc_now

_TIMEOUT_S = 10.0


class FirstDemo:
    """Runs ``skerry demo`` next to an empty platform.

    Parameters
    ----------
    plan
        The platform, which is ready.
    console
        The console for its messages; the demo itself writes to the same terminal.
    """

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._marker = plan.folder.state / "demo"
        self._process: subprocess.Popen[bytes] | None = None
        self._decided = False

    def advance(self) -> None:
        """Start the demo if the platform is empty, and print a message when it has ended."""
        if not self._decided:
            self._decided = True
            if not self._marker.exists() and self._is_empty():
                self._start()
        elif self._process is not None and self._process.poll() is not None:
            self._finish(self._process.returncode)
            self._process = None

    def _start(self) -> None:
        self._console.print("\nThis data folder is empty: the demo runs first, on simulated data.")
        environment = dict(os.environ) | {
            "SKERRY_DATA": str(self._plan.folder.root),
            "SKERRY_INSTANCE": self._plan.credentials.instance,
            "SKERRY_PART": "demo",
            "PYTHONUNBUFFERED": "1",
        }
        for other in ("SKERRY_URL", "SKERRY_TOKEN", *platform_secrets()):
            environment.pop(other, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "skerry.cli", "demo"],
            env=environment,
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - we start no threads
        )

    def _finish(self, code: int) -> None:
        """Note that the demo ran; its own last line is the link to the map."""
        if code != 0:
            self._console.print(
                f"The demo ended with exit code {code}; run 'skerry demo' to try again."
            )
            return
        self._marker.write_text(format_time(utc_now()))

    def _is_empty(self) -> bool:
        """Return whether catalogue and production are empty; False when they do not answer."""
        try:
            return self._ask_if_empty()
        except httpx.HTTPError as error:
            self._console.print(
                f"The demo did not start ({type(error).__name__}); run 'skerry demo' to start it."
            )
            return False

    def _ask_if_empty(self) -> bool:
        token = json.loads(self._plan.folder.owner.read_text())["token"]
        api = f"http://127.0.0.1:{self._plan.ports.api}{API_PREFIX}"
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
            for path, member in (
                ("/stac/collections", "collections"),
                ("/production/releases", "releases"),
            ):
                response = client.get(f"{api}{path}")
                if response.is_error or response.json().get(member):
                    return False
        return True
