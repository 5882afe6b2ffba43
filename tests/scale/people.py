"""People who log in, start their server and open it, as a browser does: pages, forms, cookies."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from tests.scale.hub import PASSWORD, ManyHub

_LIMIT_S = 300
_MOVED = (HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)


class Person:
    """A person's browser.

    Attributes
    ----------
    requests
        How many requests it has sent.
    """

    def __init__(self, name: str, hub: ManyHub, session: ClientSession) -> None:
        self.name = name
        self.requests = 0
        self._home = f"http://{name}.people.localhost:{hub.port}"
        self._hub = hub
        self._session = session
        self._cookies: defaultdict[str, dict[str, str]] = defaultdict(dict)

    async def log_in(self) -> None:
        """Open the login page and send the form."""
        await self._open(f"{self._hub.url}/hub/login")
        form = {"username": self.name, "password": PASSWORD, "_xsrf": self._find_xsrf()}
        to = f"{self._hub.url}/hub/login?next=/hub/home"
        await self._open(to, form=form, expected=HTTPStatus.FOUND)

    async def start_server(self) -> None:
        """Choose a profile, wait as the page does until the server is ready, and open it."""
        await self._open(f"{self._hub.url}/hub/spawn")
        form = {"profile": "small", "_xsrf": self._find_xsrf()}
        await self._open(f"{self._hub.url}/hub/spawn", form=form, expected=HTTPStatus.FOUND)
        await self._open(f"{self._hub.url}/hub/spawn-pending/{self.name}")
        await self._wait_for_server()
        await self.open_server()

    async def open_server(self) -> None:
        """Open the server's page; it sends the browser to the hub and back."""
        url = f"{self._home}/user/{self.name}/lab"
        while True:
            answer, _ = await self._ask(url)
            if answer.status not in _MOVED:
                break
            target = answer.headers["Location"]
            parts = urlsplit(url)
            url = target if "://" in target else f"{parts.scheme}://{parts.netloc}{target}"
        assert answer.status == HTTPStatus.OK, (url, answer.status)

    async def _wait_for_server(self) -> None:
        """Read what the hub tells of the start, until it is over."""
        path = f"/hub/api/users/{self.name}/server/progress?_xsrf={self._find_xsrf()}"
        _, told = await self._ask(f"{self._hub.url}{path}", mode="cors")
        events = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("data:")]
        assert events, told
        assert events[-1].get("ready"), events

    def _find_xsrf(self) -> str:
        return self._cookies[urlsplit(self._hub.url).netloc]["_xsrf"]

    async def _open(
        self, url: str, form: dict[str, str] | None = None, expected: int = HTTPStatus.OK
    ) -> None:
        answer, text = await self._ask(url, form)
        assert answer.status == expected, (url, answer.status, text[:2000])

    async def _ask(
        self, url: str, form: dict[str, str] | None = None, mode: str = "navigate"
    ) -> tuple[ClientResponse, str]:
        parts = urlsplit(url)
        cookies = self._cookies[parts.netloc]
        headers = {
            "Host": parts.netloc, "Origin": self._hub.url, "Referer": f"{self._hub.url}/hub/login",
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": mode,
        }  # fmt: skip
        self.requests += 1
        async with self._session.request(
            "GET" if form is None else "POST", url.replace(parts.netloc, f"127.0.0.1:{parts.port}"),
            data=form, headers=headers, allow_redirects=False,
        ) as answer:  # fmt: skip
            text = await answer.text()
        for name, cookie in answer.cookies.items():
            cookies[name] = cookie.value
        return answer, text


def open_session() -> ClientSession:
    """Return connections that many people share; each keeps cookies of their own."""
    return ClientSession(
        connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=_LIMIT_S),
    )  # fmt: skip


async def do_side_by_side(
    people: Iterable[Person], act: Callable[[Person], Awaitable[None]], at_once: int
) -> list[float]:
    """Have each person act, a number of them at once; return how long each took."""
    turns = asyncio.Semaphore(at_once)

    async def take_turn(person: Person) -> float:
        async with turns:
            began = time.monotonic()
            await act(person)
            return time.monotonic() - began

    return await asyncio.gather(*map(take_turn, people))
