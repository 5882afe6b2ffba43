"""A browser as a person uses it, watched: what it says on its console and whom it asks."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request
from tests.platform_process import RunningPlatform

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SIZE: Any = {"width": 1360, "height": 900}
ARGUMENTS = [
    "--no-sandbox",  # Chromium refuses root otherwise, and containers run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Watch:
    """What went wrong in a browser, and whom it asked besides the platform.

    Attributes
    ----------
    url
        The platform's address; requests elsewhere are noted.
    allowed
        Patterns of console errors that are expected; each test says why.
    """

    url: str
    allowed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Listen to one page."""
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)

    def check(self) -> None:
        """Fail when a page had an error or asked somebody else."""
        unexpected = [
            error for error in self.errors if not any(re.search(p, error) for p in self.allowed)
        ]
        assert unexpected == []
        assert self.foreign == [], "everything comes from the platform's own origin"

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.foreign.append(request.url)


def launch(playwright: Playwright, executable: str) -> Browser:
    """Start the installed Chromium."""
    return playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)


def fill_login(
    page: Page, platform: RunningPlatform, password: str, *, user: str = "", onward: str = ""
) -> None:
    """Open the hub's login page, fill it for the owner or another user, and send it.

    It leads `onward`, to a path of the platform, or else to JupyterLab, which is started.
    """
    page.goto(f"{platform.url}/hub/login{f'?next={onward}' if onward else ''}")
    page.get_by_label("Username").fill(user or platform.user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(context: BrowserContext, platform: RunningPlatform) -> None:
    """Log in with the password that stands in the data folder."""
    page = context.new_page()
    fill_login(page, platform, platform.password)
    page.wait_for_url(re.compile("/hub/(spawn|home)|/user/"))
    page.close()


def keep(page: Page, name: str) -> None:
    """Keep a screenshot for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
