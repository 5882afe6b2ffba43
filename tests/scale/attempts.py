"""Many attempts of runs at once, as pods of nodes that only pretend; `tests.kubernetes.scale`."""

import tempfile
from pathlib import Path

from tests.kubernetes.scale import carry_out
from tests.kubernetes.server import serve_kubernetes
from tests.scale.figures import Figure
from tests.scale.progress import say

PART = "attempts"


def measure_attempts(count: int, work_s: float) -> list[Figure]:
    """Carry out attempts, first a tenth of them, then all."""
    figures: list[Figure] = []
    for number in sorted({max(1, count // 10), count}):
        say(f"{number} attempts, each of {work_s:g} s")
        with (
            serve_kubernetes(controllers=True) as server,
            server.namespace() as namespace,
            tempfile.TemporaryDirectory() as folder,
        ):
            found = carry_out(server, namespace, Path(folder), number, work_s)
        assert sum(found.states.values()) == number
        assert all(state.phase.name == "SUCCEEDED" for state in found.states), found.states
        requests = sum(found.while_at_work.values()) / max(found.at_work_s, 0.001)
        figures += [
            Figure(PART, name, number, value, unit)
            for name, value, unit in (
                ("all ended within", found.took_s, "s"),
                ("CPU of the executor", found.cpu_s, "s"),
                ("memory of the executor", found.memory / 1e6, "MB"),
                ("memory of the executor before", found.memory_before / 1e6, "MB"),
                ("requests to Kubernetes", found.requests.total(), ""),
                ("requests while all are at work", requests, "1/s"),
                ("a log was not looked at for", max(found.log_gaps, default=0), "s at most"),
            )
        ]
    return figures
