"""Small writing transactions a second on PostgreSQL with real commits, with and without turns.

``python -m tests.benchmarks.writers``
"""

import multiprocessing
import time

import psycopg
from tests import postgresql_server
from tests.postgresql_server import serve_postgresql

SECONDS = 4.0
WRITERS = (1, 2, 4, 8)


def write(url: str, takes_turns: bool, results: "multiprocessing.Queue[int]") -> None:
    """Insert and change a row in each transaction until the time is over."""
    ended = 0
    with psycopg.connect(url) as connection:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if takes_turns:
                connection.execute("SELECT pg_advisory_xact_lock(7)")
            [number] = connection.execute(
                "INSERT INTO rows (text) VALUES ('x') RETURNING number"
            ).fetchone() or [0]
            connection.execute("UPDATE rows SET text = 'y' WHERE number = %s", [number])
            connection.commit()
            ended += 1
    results.put(ended)


def measure(url: str, writers: int, *, takes_turns: bool) -> float:
    """Return the transactions a second of all writers together."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=write, args=(url, takes_turns, results)) for _ in range(writers)
    ]
    for process in processes:
        process.start()
    total = sum(results.get() for _ in processes)
    for process in processes:
        process.join()
    return total / SECONDS


def main() -> None:
    """Print one line for each number of writers."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        postgresql_server._FAST[name] = "on"
    with serve_postgresql() as server, server.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE rows (number serial PRIMARY KEY, text text)")
        for writers in WRITERS:
            turns = measure(url, writers, takes_turns=True)
            free = measure(url, writers, takes_turns=False)
            print(f"{writers} writers: {turns:.0f}/s in turns, {free:.0f}/s without")


if __name__ == "__main__":
    main()
