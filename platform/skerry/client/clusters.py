"""`skerry.cluster`: starts your own Dask cluster on the platform's gateway."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from skerry.client.session import Session, connect
from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.settings import GATEWAY_PREFIX, default_data_folder
from skerry.storage.layout import DataFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import Client

_WAIT_SECONDS = 60
_SIZE = "least_workers"
"""The option by which a gateway with limits is told how many workers a cluster shall have."""
_REMEDY = "See 'skerry status' and 'skerry logs gateway', then try again."


def cluster(
    workers: int = 2, *, session: Session | None = None, wait_seconds: float = _WAIT_SECONDS
) -> Client:
    """Start a cluster and return a client that is the default for Dask's computations.

    It works in a notebook's running event loop as it stands. The cluster ends when the client
    is closed (``with skerry.cluster() as client:`` does it), when the process or kernel ends, or
    when it has been idle for long.

    Parameters
    ----------
    workers
        Number of workers, at least one.
    session
        Another session than this process's own.
    wait_seconds
        How long to wait for the workers.

    Returns
    -------
    distributed.Client
        ``client.cluster.scale(n)`` changes the number of workers.

    Raises
    ------
    InvalidInputError
        If `workers` is less than one, or more than your limits leave.
    UnavailableError
        If the gateway is away or gives no workers in time.
    """
    if workers < 1:
        raise InvalidInputError(
            f"A cluster of {workers} workers cannot compute.", remedy="Ask for at least one."
        )
    started = _start(session or connect(), workers)
    client = None
    try:
        started.scale(workers)
        client = _make_client(started)
        client.wait_for_workers(workers, timeout=wait_seconds)
    except BaseException as error:
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]
        _end(started)
        if not isinstance(error, Exception):
            raise
        raise UnavailableError(
            f"The Dask gateway did not start {workers} workers within {wait_seconds:.0f} s "
            f"({error}).",
            remedy=_REMEDY,
        ) from error
    return client


def _start(session: Session, workers: int) -> Any:
    """Start a scheduler on the gateway, for a cluster that may have so many workers."""
    from dask_gateway import GatewayCluster
    from dask_gateway.auth import JupyterHubAuth

    address = os.environ.get("DASK_GATEWAY__ADDRESS") or f"{session.url}{GATEWAY_PREFIX}"
    # Made in two steps, so that what a failing start leaves can be ended.
    started = GatewayCluster.__new__(GatewayCluster)
    gateway = {
        "address": address,
        "proxy_address": _find_proxy(session),
        "auth": JupyterHubAuth(api_token=session.token),
    }
    try:
        started.__init__(**gateway, **_choose_size(gateway, workers))
    except BaseException as error:
        _end(started)
        if not isinstance(error, Exception):
            raise
        if isinstance(error, ValueError):  # the gateway's own words about a limit
            raise InvalidInputError(
                f"The Dask gateway refuses a cluster of {workers} workers: {error}",
                remedy="'client.cluster.scale' adds workers later, within the same limits.",
            ) from error
        raise UnavailableError(
            f"The Dask gateway at {address} starts no cluster ({type(error).__name__}: {error}).",
            remedy=_REMEDY,
        ) from error
    return started


def _choose_size(gateway: Mapping[str, Any], workers: int) -> dict[str, int]:
    """Return what a gateway with limits is asked for; that of one machine offers no choice.

    Without it a cluster gets an equal share of its owner's limits, and would wait in vain for
    workers above it.
    """
    from dask_gateway import Gateway

    asked = Gateway(**gateway)
    try:
        offered = asked.cluster_options(use_local_defaults=False)
    finally:
        _close(asked)
    return {_SIZE: workers} if _SIZE in offered else {}


def _end(started: Any) -> None:
    """End a cluster and its connection to the gateway, whatever state they are in."""
    gateway = getattr(started, "gateway", None)
    if gateway is None or "_loop_runner" not in vars(gateway):
        return  # never begun, or ended before
    started.close()
    with suppress(RuntimeError):
        _close(gateway)


def _close(gateway: Any) -> None:
    """Close a connection to the gateway, for good.

    dask-gateway 2026.3.0 closes once more when collected, and fails when its event loop has stopped
    by then; without a runner it passes.
    """
    try:
        gateway.close()
    finally:
        vars(gateway).pop("_loop_runner", None)


def _find_proxy(session: Session) -> str | None:
    """Return the address of the schedulers.

    The environment says it in user servers and runs; on the platform's own machine the running
    platform has written it down.
    """
    address = os.environ.get("DASK_GATEWAY__PROXY_ADDRESS")
    if address:
        return address
    try:
        record = json.loads((DataFolder(default_data_folder()).run / "platform.json").read_text())
    except (OSError, ValueError):
        return None
    return record["gateway"]["proxy_address"] if record["url"] == session.url else None


def _make_client(started: Any) -> Client:
    """Return a client that ends its cluster when it closes; its workers may read the bucket."""
    from distributed import Client

    from skerry.client.cluster_access import ClusterAccess

    open_here = ExitStack()

    class ClusterClient(Client):
        """A client that owns its cluster."""

        def close(self, *arguments: Any, **options: Any) -> Any:
            """Close the client, then end the cluster."""
            open_here.close()
            closed = super().close(*arguments, **options)  # type: ignore[no-untyped-call]
            _end(started)
            return closed

    client = ClusterClient(  # type: ignore[no-untyped-call]
        started, security=started.security, set_as_default=True, loop=started.loop
    )
    try:
        open_here.enter_context(ClusterAccess(client))
    except BaseException:
        client.close()
        raise
    return client
