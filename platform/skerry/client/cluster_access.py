"""Credentials of the bucket for the workers of a cluster.

A graph holds addresses alone. The process that started the cluster sends the credentials that were
granted to it beside the graph, through the scheduler, which passes them to each worker before its
first task, also to workers that start later. A worker whose credentials come to their end asks this
process by an event of the scheduler, so only what is still read is renewed.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from distributed import WorkerPlugin

from skerry.core.digests import digest_bytes
from skerry.core.errors import SkerryError
from skerry.core.patience import find_patience, set_patience
from skerry.storage.granted import Accesses, passing_on, receive_access, renew_access

if TYPE_CHECKING:
    from distributed import Client, Worker

_LOG = logging.getLogger(__name__)
_TOPIC = "skerry-access"
_TRIES = 3


class AccessPlugin(WorkerPlugin):
    """Gives a worker credentials, and the patience of the process that started its cluster.

    Parameters
    ----------
    accesses
        The credentials. No text made of them shows a secret.
    patience_s
        Seconds to wait for a store that is away.
    """

    def __init__(self, accesses: Accesses, patience_s: float) -> None:
        self.accesses = accesses
        self.patience_s = patience_s

    def setup(self, worker: Worker) -> None:
        """Keep the credentials in the worker's process."""
        set_patience(self.patience_s)
        for address, access in self.accesses.items():
            receive_access(address, access, _Request(worker, address))


class _Request:
    """Asks the process that started the cluster for new credentials of an address."""

    def __init__(self, worker: Worker, address: str) -> None:
        self._worker = worker
        self._address = address

    def __call__(self) -> None:
        self._worker.log_event(_TOPIC, self._address)


class ClusterAccess:
    """While it is open, a cluster's workers have the credentials that this process has.

    Parameters
    ----------
    client
        A client of the cluster, by which it is reached with encryption.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._renewals = ThreadPoolExecutor(1, "cluster-access")
        self._open.callback(self._renewals.shutdown, wait=False, cancel_futures=True)
        self._open.enter_context(passing_on(self._send))
        self._client.subscribe_topic(_TOPIC, self._answer)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def _send(self, accesses: Accesses) -> None:
        """Send credentials to all workers, now and when they start."""
        if not accesses or self._client.status != "running":
            return
        plugin = AccessPlugin(accesses, find_patience())
        addresses = " ".join(sorted(accesses)).encode()
        name = f"skerry-access-{digest_bytes(addresses)}"  # later ones take their place
        for trial in range(1, _TRIES + 1):
            try:
                self._client.register_plugin(plugin, name=name)
            except OSError as error:  # a worker has ended meanwhile, or the cluster
                if trial == _TRIES:
                    _LOG.warning("The cluster was not given access: %s", error)
            else:
                return

    def _answer(self, event: tuple[float, Any]) -> None:
        """Answer a worker that asks; in a thread, because the client's own must not wait."""
        with suppress(RuntimeError):  # closed meanwhile
            self._renewals.submit(self._renew, str(event[1]))

    def _renew(self, address: str) -> None:
        try:
            self._send({address: renew_access(address)})
        except (SkerryError, KeyError) as error:
            _LOG.warning("The workers' access to %s is not renewed: %s", address, error)
