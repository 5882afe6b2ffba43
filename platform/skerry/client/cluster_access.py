"""Credentials of the bucket for the workers of a cluster.

A graph holds addresses alone. The process that started the cluster sends the credentials that were
granted to it beside the graph, through the scheduler, which passes them to each worker before its
first task, also to workers that start later. A worker whose credentials come to their end asks this
process by an event of the scheduler, so only what is still read is renewed. Where requests are
signed instead, a worker asks the same way for the addresses that it needs, and is answered alone:
neither the graph nor the scheduler's memory holds them.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from distributed import WorkerPlugin

from skerry.core.digests import digest_bytes
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.ids import new_id
from skerry.core.patience import find_patience, set_patience
from skerry.models.signing import Listing, Method, SignedAddresses
from skerry.storage.granted import (
    ANSWER_WITHIN_S,
    Accesses,
    find_signer,
    passing_on,
    receive_access,
    receive_signer,
    renew_access,
)

if TYPE_CHECKING:
    from distributed import Client, Worker

_LOG = logging.getLogger(__name__)
_TOPIC = "skerry-access"
_TRIES = 3
_ANSWERS_AT_ONCE = 4


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
            if access is None:
                receive_signer(address, _WorkerSigner(worker, address))
            else:
                receive_access(address, access, _Request(worker, address))


class _Request:
    """Asks the process that started the cluster for new credentials of an address."""

    def __init__(self, worker: Worker, address: str) -> None:
        self._worker = worker
        self._address = address

    def __call__(self) -> None:
        self._worker.log_event(_TOPIC, self._address)


_waiting: dict[str, Future[Any]] = {}
"""In a worker: what it asked the process that started its cluster, by the question's number."""


@dataclass(frozen=True)
class _WorkerSigner:
    """Asks the process that started the cluster for signed addresses; it asks the api."""

    worker: Worker
    address: str

    def sign(self, method: Method, names: list[str], further: int) -> SignedAddresses:
        """Return addresses for files."""
        arguments = {"method": method.value, "names": names, "further": further}
        answer: SignedAddresses = self._ask("sign", arguments)
        return answer

    def list_files(self, folder: str, *, deep: bool, after: str) -> Listing:
        """Return a page of files."""
        arguments = {"folder": folder, "deep": deep, "after": after}
        answer: Listing = self._ask("list_files", arguments)
        return answer

    def _ask(self, question: str, arguments: dict[str, Any]) -> Any:
        number = new_id()
        answer = _waiting[number] = Future()
        event = {"address": self.address, "number": number, "worker": self.worker.address,
                 "question": question, "arguments": arguments}  # fmt: skip
        try:
            self.worker.log_event(_TOPIC, event)
            return answer.result(ANSWER_WITHIN_S)
        except TimeoutError:
            raise UnavailableError(
                f"The notebook that started this cluster signed no address of {self.address} "
                f"within {ANSWER_WITHIN_S:.0f} s.",
                remedy="Look whether it still runs and its platform answers; then start again.",
            ) from None
        finally:
            del _waiting[number]


def _deliver(number: str, answer: object) -> None:
    """Give a worker, in which this runs, the answer to its question."""
    waiting = _waiting.get(number)
    if waiting is None:  # it waits no more
        return
    if isinstance(answer, SkerryError):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)


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
        self._renewals = ThreadPoolExecutor(_ANSWERS_AT_ONCE, "cluster-access")
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
        asked = event[1]
        work = self._sign if isinstance(asked, dict) else self._renew
        with suppress(RuntimeError):  # closed meanwhile
            self._renewals.submit(work, asked)

    def _sign(self, asked: dict[str, Any]) -> None:
        """Answer a worker's question about signed addresses, that worker alone."""
        answer: object
        try:
            signer = find_signer(str(asked["address"]))
            arguments = dict(asked["arguments"])
            if asked["question"] == "sign":
                method = Method(arguments.pop("method"))
                answer = signer.sign(method, **arguments)
            else:
                answer = signer.list_files(**arguments)
        except (SkerryError, KeyError) as error:
            _LOG.warning("No address of %s is signed: %s", asked["address"], error)
            answer = (
                error
                if isinstance(error, SkerryError)
                else UnavailableError(
                    f"{asked['address']} is not granted to the notebook that started this cluster.",
                    remedy="Open the item there again.",
                )
            )
        with suppress(OSError):  # the worker has ended meanwhile
            self._client.run(
                _deliver, asked["number"], answer, workers=[asked["worker"]], on_error="ignore"
            )

    def _renew(self, address: str) -> None:
        try:
            self._send({address: renew_access(address)})
        except (SkerryError, KeyError) as error:
            _LOG.warning("The workers' access to %s is not renewed: %s", address, error)
