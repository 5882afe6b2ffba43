"""Dashboards of a person's own Dask clusters, shown by their own server.

The gateway's proxy shows the dashboard of any cluster whose name is known. A dashboard comes from
its scheduler, which does what the cluster's owner wants: a stranger's page, shown below the address
of a person's server, could do there whatever that person may. So the gateway is asked first whose
cluster it is, and no cookie goes on to a scheduler.
"""

import os
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import HTTPError

from skerry.hub.kubernetes.user_servers import DASHBOARDS_PLACE, DASHBOARDS_VARIABLE

_WITHIN_S = 10.0
_NOT_PASSED_ON = ("Authorization", "Cookie", "X-Xsrftoken")


class OwnDashboardHandler(ProxyHandler):  # type: ignore[misc]
    """Shows ``clusters/<name>/...`` of the gateway's proxy to whoever may use this server."""

    SUPPORTED_METHODS = ("GET", "HEAD")
    _own: ClassVar[set[str]] = set()
    """Clusters that are this person's; names are never used again."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._host, _, self._port = options.pop("dashboards").partition(":")
        super().__init__(*arguments, host_allowlist=[self._host], **options)
        self.proxy_base = DASHBOARDS_PLACE

    async def http_get(self, cluster: str, rest: str) -> None:
        """Answer with a page of a dashboard."""
        await super().proxy(self._host, self._port, await self._find_path(cluster, rest))

    async def head(self, cluster: str, rest: str) -> None:
        """Answer as for a page, without it."""
        await self.http_get(cluster, rest)

    async def open(self, cluster: str, rest: str) -> None:
        """Connect a page with its dashboard."""
        try:
            path = await self._find_path(cluster, rest)
        except HTTPError as error:
            self.close(reason=error.reason)
            return
        await super().proxy_open(self._host, self._port, path)

    def proxy_request_headers(self) -> Any:
        """Return what a scheduler is sent: nothing by which it could act as this person."""
        headers = super().proxy_request_headers()
        for name in _NOT_PASSED_ON:
            headers.pop(name, None)
        return headers

    async def _find_path(self, cluster: str, rest: str) -> str:
        """Return the path at the gateway's proxy.

        Raises
        ------
        HTTPError
            If the path leads elsewhere, or the cluster is not this person's.
        """
        if {".", ".."} & set(rest.replace("\\", "/").split("/")):
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        if cluster not in self._own:
            await _check_owner(cluster)
            self._own.add(cluster)
        return f"/clusters/{cluster}{rest}"


async def _check_owner(cluster: str) -> None:
    """Ask the gateway, with the token of this server, for which it shows only own clusters."""
    address = f"{os.environ['DASK_GATEWAY__ADDRESS']}/api/v1/clusters/{quote(cluster, safe='')}"
    shown = {"Authorization": f"jupyterhub {os.environ['JUPYTERHUB_API_TOKEN']}"}
    try:
        await AsyncHTTPClient().fetch(
            address, headers=shown, request_timeout=_WITHIN_S, follow_redirects=False
        )
    except HTTPClientError as error:
        if error.code in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise HTTPError(HTTPStatus.FORBIDDEN, reason="Not a Dask cluster of yours") from None
        raise HTTPError(HTTPStatus.BAD_GATEWAY, reason="The gateway does not answer") from None
    except OSError:
        raise HTTPError(HTTPStatus.BAD_GATEWAY, reason="The gateway does not answer") from None


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "skerry.hub.kubernetes.own_dashboards"}]


def _load_jupyter_server_extension(server: Any) -> None:
    dashboards = os.environ.get(DASHBOARDS_VARIABLE)
    if not dashboards:  # there is no gateway
        return
    base = url_path_join(server.web_app.settings["base_url"], DASHBOARDS_PLACE)
    path = url_path_join(base, r"clusters/([a-z0-9][a-z0-9.-]*)(/.*|)")
    options = {"dashboards": dashboards}
    server.web_app.add_handlers(".*$", [(path, OwnDashboardHandler, options)])
