"""The one program that answers in place of everybody's server: `python -m tests.scale.answering`.

It logs people in as JupyterHub's own servers do, by the hub's OAuth with the token of the server,
and tells the hub now and then that each server is in use.
"""

import asyncio
import secrets
import sys
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, web

ACTIVE_S = 300
"""How often a server of JupyterHub tells the hub that it is in use."""
_HEADERS = {"X-JupyterHub-Version": "6.1.1"}
_PAGE = b"x" * 4096


class Answering:
    """Servers of people, as far as a hub and a browser see them."""

    def __init__(self, public_url: str, hub_api: str) -> None:
        self._public_url = public_url
        self._hub_api = hub_api
        self._known: dict[str, dict[str, str]] = {}
        self._visits: set[str] = set()
        self._session: ClientSession | None = None

    def make_application(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_post("/known/{name}", self._learn)
        app.router.add_get("/services/{path:.*}", self._answer)
        app.router.add_get("/user/{name}/oauth_callback", self._log_in)
        app.router.add_get("/user/{name}/{path:.*}", self._show)
        app.cleanup_ctx.append(self._work)
        return app

    async def _work(self, _app: web.Application) -> Any:
        async with ClientSession() as self._session:
            task = asyncio.create_task(self._tell_activity())
            yield
            task.cancel()

    async def _learn(self, request: web.Request) -> web.Response:
        self._known[request.match_info["name"]] = await request.json()
        return web.Response()

    async def _answer(self, _request: web.Request) -> web.Response:
        """Answer for the platform's parts, which the hub looks for."""
        return web.Response()

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if request.match_info["path"] == "api":  # the hub asks whether it answers
            return web.json_response({"version": "6"}, headers=_HEADERS)
        if request.cookies.get(f"visit-{name}") in self._visits:
            return web.Response(body=_PAGE, content_type="text/html", headers=_HEADERS)
        if name not in self._known:
            return web.Response(status=404, headers=_HEADERS)
        facts = self._known[name]
        asked = urlencode({
            "client_id": facts["CLIENT_ID"], "redirect_uri": facts["OAUTH_CALLBACK_URL"],
            "response_type": "code", "state": secrets.token_hex(8),
        })  # fmt: skip
        raise web.HTTPFound(
            f"{self._public_url}/hub/api/oauth2/authorize?{asked}", headers=_HEADERS
        )

    async def _log_in(self, request: web.Request) -> web.Response:
        assert self._session is not None
        name = request.match_info["name"]
        facts = self._known[name]
        form = {
            "client_id": facts["CLIENT_ID"], "client_secret": facts["API_TOKEN"],
            "grant_type": "authorization_code", "code": request.query["code"],
            "redirect_uri": facts["OAUTH_CALLBACK_URL"],
        }  # fmt: skip
        async with self._session.post(f"{self._hub_api}/oauth2/token", data=form) as answer:
            answer.raise_for_status()
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(f"{self._hub_api}/user", headers=headers) as answer:
            answer.raise_for_status()
            assert (await answer.json())["name"] == name
        visit = secrets.token_hex(16)
        self._visits.add(visit)
        response = web.HTTPFound(f"/user/{name}/lab", headers=_HEADERS)
        response.set_cookie(f"visit-{name}", visit)
        raise response

    async def _tell_activity(self) -> None:
        """Tell the hub of each server, one after another, each once in `ACTIVE_S`."""
        assert self._session is not None
        while True:
            for name, facts in list(self._known.items()):
                await asyncio.sleep(ACTIVE_S / len(self._known))
                now = "2026-01-01T00:00:00Z"
                told = {"servers": {"": {"last_activity": now}}, "last_activity": now}
                headers = {"Authorization": f"token {facts['API_TOKEN']}"}
                async with self._session.post(
                    facts["ACTIVITY_URL"], json=told, headers=headers
                ) as answer:
                    assert answer.status in (200, 404), (name, answer.status)
            if not self._known:
                await asyncio.sleep(1)


def main() -> int:
    """Answer until a signal ends it."""
    port, public_url, hub_api = sys.argv[1:]
    answering = Answering(public_url, hub_api)
    web.run_app(
        answering.make_application(), host="127.0.0.1", port=int(port), print=None, access_log=None
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
