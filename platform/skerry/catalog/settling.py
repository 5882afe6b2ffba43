"""Moves bytes to the place where they stay, before their items are registered.

Each copy is recorded before its first byte is written, until an item names it. If the process is
killed here, its copies are found by this record and removed, like the bytes of expired grants.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Condition
from types import MappingProxyType

from sqlalchemy import Connection, Engine

from skerry.catalog.deletions import finish_deletions, release_grant
from skerry.core.errors import BusyError
from skerry.storage.grants import hold_home
from skerry.storage.homes import choose_home, fill_home, has_homes
from skerry.storage.objects import Objects
from skerry.storage.recording import Actor, writing


@dataclass(frozen=True)
class Home:
    """The place in a bucket where bytes stay, and what was copied there.

    Attributes
    ----------
    prefix
        Of the place.
    keys
        Of the copies.
    """

    prefix: str
    keys: frozenset[str]

    def has(self, key: str) -> bool:
        """Return whether there is a copy at a key, or anything below it."""
        below = f"{key.rstrip('/')}/"
        return key in self.keys or any(item.startswith(below) for item in self.keys)


Homes = Mapping[str, Home]
"""Prefix below which bytes were written, to the place at which they stay."""
SAME_PLACES: Homes = MappingProxyType({})
"""All bytes stay where they were written."""

_AT_ONCE = 2
"""Registrations whose bytes a process copies at a time; each takes up to 144 MB of memory."""
_WAITING = 8
"""Registrations that wait for it. Each holds one of the 40 threads that answer all requests."""
_OF_ACCOUNT = (_AT_ONCE + _WAITING) // 2
"""Registrations of an account that copy or wait; so nobody keeps all others from registering."""
_PATIENCE_S = 60.0


class _Turns:
    """Whose bytes are copied now, and who waits.

    A free turn is given to the account of which the fewest are copied, and among these to the one
    that has waited longest: who registers many products does not hold up who registers one.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._at_work: Counter[str] = Counter()
        self._waiting: dict[object, str] = {}

    @contextmanager
    def take(self, account: str) -> Iterator[None]:
        """Wait for a turn; refuse if many wait already, or it takes long."""
        ticket = object()
        with self._changed:
            present = Counter(self._waiting.values()) + self._at_work
            if present.total() >= _AT_ONCE + _WAITING or present[account] >= _OF_ACCOUNT:
                raise _refuse_for_now()
            self._waiting[ticket] = account
            try:
                if not self._changed.wait_for(lambda: self._choose() is ticket, _PATIENCE_S):
                    raise _refuse_for_now()
                self._at_work[account] += 1
            finally:
                del self._waiting[ticket]
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= Counter([account])
                self._changed.notify_all()

    def _choose(self) -> object | None:
        """Return who is next; None while nobody may begin."""
        if self._at_work.total() >= _AT_ONCE:
            return None
        return min(self._waiting, key=lambda ticket: self._at_work[self._waiting[ticket]])


_turns = _Turns()


@contextmanager
def settling(
    engine: Engine,
    objects: Objects,
    by: Actor,
    list_written: Callable[[Connection], Iterable[tuple[str, str]]],
) -> Iterator[Homes]:
    """Give the places at which the bytes of items stay, for their registration in the block.

    In a folder bytes stay where they are, and nothing is done. After the block the original bytes
    are removed; if the block fails, the copies.

    Parameters
    ----------
    engine, objects
        The database and the object store.
    by
        Who registers the items.
    list_written
        Refuses what may not be registered, before anything is copied; returns prefix and digest of
        everything that will be registered.

    Raises
    ------
    InvalidInputError
        If bytes are not those of their digest.
    BusyError
        If this process copies the bytes of too many others, or of this account; nothing was done.
    UnavailableError
        If the store does not answer.
    """
    if not has_homes(objects):
        yield SAME_PLACES
        return
    with writing(engine, by) as connection:
        written = dict(list_written(connection))
    if not written:
        yield SAME_PLACES
        return
    with ExitStack() as turn:
        turn.enter_context(_turns.take(by.name))
        with writing(engine, by) as connection:
            held = {
                prefix: hold_home(connection, choose_home(prefix), by.name) for prefix in written
            }
        try:
            homes = {
                prefix: Home(
                    home.prefix,
                    frozenset(fill_home(objects, prefix, home.prefix, written[prefix])),
                )
                for prefix, home in held.items()
            }
            turn.close()
            yield homes
        except BaseException:
            with writing(engine, by) as connection:
                for home in held.values():
                    release_grant(connection, home)
            raise
        finally:
            finish_deletions(engine, objects)


def _refuse_for_now() -> BusyError:
    return BusyError(
        "The bytes of too many other products are being copied, as each is when it is registered.",
        remedy="Register the product again in some seconds; what was written stays.",
    )
