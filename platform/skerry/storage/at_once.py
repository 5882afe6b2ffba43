"""Work on many things with several of them under way."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

REQUESTS = 16
"""How many requests to an object store are under way at a time."""

_AHEAD = 4
"""How many times as many are asked for ahead, so that one that takes long holds up no others."""


def do_at_once[T, R](
    work: Callable[[T], R], items: Iterable[T], most: int = REQUESTS
) -> Iterator[R]:
    """Do work on many items, on several at once; yield the results in the order of the items.

    Parameters
    ----------
    work
        What to do with an item. The first error ends it.
    items
        The items, of which few are asked for ahead: there may be any number.
    most
        How many are under way at a time.
    """
    asked: deque[Future[R]] = deque()
    with ThreadPoolExecutor(most, thread_name_prefix="at-once") as pool:
        try:
            for item in items:
                asked.append(pool.submit(work, item))
                if len(asked) == most * _AHEAD:
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
