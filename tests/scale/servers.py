"""People who log in and start a server: what the hub does in a second, and what it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import psycopg
from tests.postgresql_server import PostgresqlServer
from tests.scale.figures import Figure, find_percentile
from tests.scale.hub import ManyHub
from tests.scale.metering import Meter
from tests.scale.people import Person, do_side_by_side, open_session
from tests.scale.progress import say

PART = "servers"
_AT_ONCE = 50
"""How many people act at once."""


def choose_steps(count: int) -> list[int]:
    """Return at how many servers it is measured."""
    return [step for step in (10, 100, 300, 1000, 3000) if step < count] + [count]


async def measure_servers(hub: ManyHub, server: PostgresqlServer, rest_s: float) -> list[Figure]:
    """Have all people log in and start a server, and measure at some numbers of servers.

    Parameters
    ----------
    rest_s
        How long the hub is watched while nobody does anything but have a server.
    """
    figures: list[Figure] = []
    programs = {name: pid for name, pid in hub.processes.items() if name != "servers"}
    meter = Meter({**programs, "database": server.pid})
    async with open_session() as session:
        people = [Person(name, hub, session) for name in hub.people]
        before = 0
        for step in choose_steps(len(people)):
            new = people[before:step]
            figures += await _measure_acts(meter, step, "logins", new, Person.log_in)
            figures += await _measure_acts(meter, step, "spawns", new, Person.start_server)
            figures += await _measure_rest(meter, step, hub, server, rest_s)
            before = step
    return figures


async def _measure_acts(
    meter: Meter, at: int, name: str, people: Sequence[Person],
    act: Callable[[Person], Awaitable[None]],
) -> list[Figure]:  # fmt: skip
    say(f"{len(people)} {name}, up to {at} people")
    meter.begin()
    took = await do_side_by_side(people, act, _AT_ONCE)
    seconds, used = meter.seconds, meter.read()
    return [
        Figure(PART, f"{name} a second", at, len(people) / seconds, "1/s"),
        Figure(PART, f"{name}: median", at, find_percentile(took, 0.5), "s"),
        Figure(PART, f"{name}: 95 of 100 within", at, find_percentile(took, 0.95), "s"),
        *(
            Figure(PART, f"{name}: CPU of the {part} for each", at, use.cpu_s / len(people), "s")
            for part, use in used.items()
        ),
        Figure(PART, f"{name}: cores that the hub used", at, used["hub"].cpu_s / seconds, "cores"),
    ]


async def _measure_rest(
    meter: Meter, at: int, hub: ManyHub, server: PostgresqlServer, rest_s: float
) -> list[Figure]:
    say(f"{at} servers at work, {rest_s:g} s")
    meter.begin()
    await asyncio.sleep(rest_s)
    seconds, used = meter.seconds, meter.read()
    figures = []
    for part, use in used.items():
        figures.append(
            Figure(PART, f"at rest: CPU of the {part}", at, use.cpu_s / seconds, "cores")
        )
        figures.append(Figure(PART, f"memory of the {part}", at, use.memory / 1e6, "MB"))
    connections = count_connections(server, hub.database)
    figures.append(Figure(PART, "database connections of the hub", at, connections, ""))
    return figures


def count_connections(server: PostgresqlServer, database: str) -> int:
    """Return how many connections to a database there are."""
    name = database.rpartition("/")[2]
    with psycopg.connect(server.url("postgres")) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,)
        ).fetchone()
    assert found is not None
    return int(found[0])
