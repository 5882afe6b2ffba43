"""Buckets under grants: a process keeps credentials for the prefixes that were granted to it.

Only addresses travel, in Dask graphs and pickles; whoever opens an address finds the credentials
here, by the longest granted address above it. They are renewed when they come to their end: by the
api, or in a Dask worker by the process that started its cluster. Where the store gives none, each
request is signed by the api instead (`skerry.storage.signed`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import lru_cache
from threading import Condition, Lock
from typing import Any, NoReturn

from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.time import utc_now
from skerry.models.grants import BucketAccess, Grant, GrantKind
from skerry.storage import s3
from skerry.storage.signed import SignedPrefix, SignedStore, Signer

RENEW_BEFORE = timedelta(minutes=10)
"""How long before their end credentials are renewed; the S3 client asks 5 minutes before it."""

ANSWER_WITHIN_S = 60.0
"""How long a process that was sent credentials waits for new ones."""

_LARGEST_COUNT = 256

Accesses = dict[str, BucketAccess | None]
"""Credentials by the address that they open; None where requests are signed instead."""


class GrantedAccess:
    """Credentials for one prefix: what the S3 client asks for them.

    It cannot be pickled, and no text made of it shows a secret.

    Parameters
    ----------
    access
        The first credentials.
    renew
        Returns new ones, or None if there are none.
    """

    def __init__(self, access: BucketAccess, renew: Callable[[], BucketAccess | None]) -> None:
        self.access = access
        self._renew = renew
        self._lock = Lock()
        self._replaced = Condition()

    def __call__(self) -> dict[str, Any]:
        """Return credentials that last for a while, as obstore wants them."""
        access = self.refresh()
        return {
            "access_key_id": access.key_id, "secret_access_key": access.secret,
            "token": access.token, "expires_at": access.expires,
        }  # fmt: skip

    def refresh(self) -> BucketAccess:
        """Return credentials that last for a while; renew them if they come to their end.

        Raises
        ------
        SkerryError
            If they cannot be renewed. While the present ones are good, no error is raised for an
            api that does not answer.
        """
        with self._lock:
            left = self.access.expires - utc_now()
            if left < RENEW_BEFORE:
                self._ask_anew(still_good=left > timedelta(0))
            return self.access

    def _ask_anew(self, *, still_good: bool) -> None:
        try:
            renewed = self._renew()
        except SkerryError as error:
            if still_good and isinstance(error, UnavailableError):  # it is asked again
                return
            _failures.append(error)
            raise
        if renewed is not None:
            self.replace(renewed)

    def replace(self, access: BucketAccess) -> None:
        """Use other credentials from now on, unless they end before the present ones."""
        with self._replaced:
            if access.expires >= self.access.expires:
                self.access = access
                self._replaced.notify_all()

    def wait_for_others(self, access: BucketAccess) -> BucketAccess | None:
        """Wait until there are other credentials than these; None if none come."""
        with self._replaced:
            came = self._replaced.wait_for(lambda: self.access != access, ANSWER_WITHIN_S)
            return self.access if came else None

    def __reduce__(self) -> NoReturn:
        raise TypeError("Credentials stay in the process that they were granted to.")


_granted: dict[str, GrantedAccess | SignedPrefix] = {}
_own: set[str] = set()
"""Addresses where this process writes: no other process gets their credentials."""
_listeners: list[Callable[[Accesses], None]] = []
_together: ContextVar[Accesses | None] = ContextVar("granted_together", default=None)
_failures: deque[SkerryError] = deque(maxlen=16)


def keep_access(answer: Grant, renew: Callable[[], Grant], signer: Signer | None = None) -> None:
    """Keep the credentials of a grant in this process, or the way to signed addresses.

    Listeners get only credentials for reading, which they pass on to the workers of clusters. This
    process writes its products itself.

    Parameters
    ----------
    answer
        The api's answer.
    renew
        Asks the api for it again.
    signer
        Asks the api for addresses, where the grant has no credentials.
    """
    address = f"{answer.root}{answer.prefix}"
    if answer.kind is GrantKind.ADDRESSES and signer is not None:
        _granted[address] = SignedPrefix(address, signer)
    elif answer.access is not None:
        _granted[address] = GrantedAccess(answer.access, lambda: renew().access)
    else:
        return
    if answer.mode == "write":
        _own.add(address)
        return
    _own.discard(address)
    together = _together.get()
    if together is None:
        _tell({address: answer.access})
    else:
        together[address] = answer.access


def _tell(accesses: Accesses) -> None:
    for listener in tuple(_listeners):
        listener(accesses)


@contextmanager
def granting_together() -> Iterator[None]:
    """Tell the listeners once, after the block, what was granted in it: each message takes time."""
    together: Accesses = {}
    before = _together.set(together)
    try:
        yield
    finally:
        _together.reset(before)
        if together:
            _tell(together)


@contextmanager
def passing_on(listener: Callable[[Accesses], None]) -> Iterator[None]:
    """Tell a listener what is granted for reading: what there is, then what the block adds."""
    _listeners.append(listener)
    try:
        before = tuple(_granted.items())
        listener({address: item.access for address, item in before if address not in _own})
        yield
    finally:
        _listeners.remove(listener)


def renew_access(address: str) -> BucketAccess:
    """Return credentials for an address that this process may read, which last for a while.

    Raises
    ------
    SkerryError
        If they cannot be renewed.
    KeyError
        If no credentials were granted for reading at the address.
    """
    access = _find_readable(address)
    if isinstance(access, SignedPrefix):
        raise KeyError(address)
    return access.refresh()


def find_signer(address: str) -> Signer:
    """Return who signs for an address that this process may read.

    Raises
    ------
    KeyError
        If no signed addresses were granted for reading at it.
    """
    prefix = _find_readable(address)
    if isinstance(prefix, SignedPrefix):
        return prefix.signer
    raise KeyError(address)


def receive_signer(address: str, signer: Signer) -> None:
    """Keep the signer that the process has sent to which an address was granted."""
    if address not in _granted:
        _granted[address] = SignedPrefix(address, signer)


def _find_readable(address: str) -> GrantedAccess | SignedPrefix:
    if address in _own:
        raise KeyError(address)
    return _granted[address]


def find_failure(words: str) -> SkerryError | None:
    """Return why credentials could not be renewed, if the S3 client's error has those words.

    None if the error has another reason.
    """
    return next((error for error in reversed(_failures) if str(error) in words), None)


def receive_access(address: str, access: BucketAccess, ask: Callable[[], None]) -> None:
    """Keep credentials that the process to which they were granted has sent.

    Parameters
    ----------
    address
        What they open.
    access
        The credentials.
    ask
        Asks that process for new ones, which are received the same way.
    """
    present = _granted.get(address)
    if isinstance(present, GrantedAccess):
        present.replace(access)
        return

    def renew() -> BucketAccess:
        old = new.access
        ask()
        renewed = new.wait_for_others(old)
        if renewed is None:
            raise UnavailableError(
                f"The credentials for {address} end, and the notebook that started this cluster "
                f"sent no new ones within {ANSWER_WITHIN_S:.0f} s.",
                remedy="Look whether it still runs and its platform answers; then start again.",
            )
        return renewed

    new = GrantedAccess(access, renew)
    _granted[address] = new


def connect(bucket: str, key: str = "", prefix: str | None = None) -> Any:
    """Return the obstore store of a bucket, or of a prefix in it, for work at a key.

    With the credentials of the grant that covers the key, else with those of the environment. Where
    a grant has no credentials, a store with the same methods that asks at signed addresses.
    """
    address = "/".join(part for part in (f"s3://{bucket}", prefix, key) if part)
    covering = [granted for granted in tuple(_granted) if f"{address}/".startswith(granted)]
    if not covering:
        return s3.connect(bucket, prefix)
    granted = _granted[max(covering, key=len)]
    if isinstance(granted, SignedPrefix):
        return SignedStore(f"s3://{bucket}/{f'{prefix}/' if prefix else ''}", granted)
    return _connect(bucket, prefix, granted)


@lru_cache(_LARGEST_COUNT)
def _connect(bucket: str, prefix: str | None, granted: GrantedAccess) -> Any:
    # The environment may have settings for other buckets: none of them may be used here.
    region = granted.access.region
    return s3.open_store(
        bucket, prefix, granted.access.endpoint or s3.find_aws(region), region=region,
        credential_provider=granted, skip_signature=False, virtual_hosted_style_request=False,
        s3_express=False,
    )  # fmt: skip
