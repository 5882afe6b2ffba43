"""Work on many things with several of them under way."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

REQUESTS = 16
"""How many requests to an object store are under way at a time."""


def do_at_once[T, R](
    work: Callable[[T], R], items: Iterable[T], most: int = REQUESTS
) -> Iterator[R]:
    """Do work on many items, on several at once; yield the results in the order of the items.

    Parameters
    ----------
    work
        What to do with an item. The first error ends it.
    items
        The items; all are asked for at the start.
    most
        How many are under way at a time.
    """
    with ThreadPoolExecutor(most, thread_name_prefix="at-once") as pool:
        try:
            yield from pool.map(work, items)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
