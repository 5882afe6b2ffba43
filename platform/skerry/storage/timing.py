"""Measure the time of each request to the object store and report it to the observers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Protocol
from weakref import WeakSet


class Observer(Protocol):
    """An observer that receives the time of each request to the object store."""

    def note_objects(self, store: str, operation: str, outcome: str, seconds: float) -> None:
        """Note a request to a `store` (``folder``, ``bucket``) that was ``done`` or ``failed``."""


_OBSERVERS: WeakSet[Observer] = WeakSet()


def tell(observer: Observer) -> None:
    """Report each request of this process to an observer, for as long as it exists."""
    _OBSERVERS.add(observer)


@contextmanager
def timing(store: str, operation: str) -> Iterator[None]:
    """Time a request to an object store; an error that is raised makes it a failed one."""
    started = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        seconds = time.perf_counter() - started
        for observer in tuple(_OBSERVERS):
            observer.note_objects(store, operation, outcome, seconds)


def timed[**Arguments, Result](
    store: str, operation: str
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Time each call of a function, as `timing` does."""

    def wrap(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @wraps(work)
        def do(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            with timing(store, operation):
                return work(*args, **kwargs)

        return do

    return wrap
