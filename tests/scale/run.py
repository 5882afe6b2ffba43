"""Measure how far the platform carries: ``make scale``, or ``make scale ONLY=servers PEOPLE=200``.

Usage: python -m tests.scale.run [--only NAME] [--people N] [--clusters N] [--attempts N] [--runs N]
[--output FILE] [--plot FILE] [--brief]

All runs on this machine, the load too: its cores are what limits. Nothing is compared with a bar.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kubernetes.tools.programs import are_there
from tests.postgresql_server import PostgresqlServer, serve_postgresql
from tests.scale.apis import measure_apis
from tests.scale.attempts import measure_attempts
from tests.scale.clusters import measure_clusters
from tests.scale.curves import draw_curves
from tests.scale.figures import Figure, print_table, read_figures, write_figures
from tests.scale.hub import ManyHub, serve_many_hub
from tests.scale.runs import measure_runs
from tests.scale.servers import measure_servers

OUTPUT = Path(__file__).parents[2] / "build" / "scale.json"
PARTS = ("servers", "apis", "clusters", "runs", "attempts")
_ON_KUBERNETES = ("clusters", "attempts")
_DURABLE = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on",
    "shared_buffers": "256MB", "max_connections": "300",
}  # fmt: skip
"""As a server has them that keeps its data; other tests have faster ones."""


def main() -> int:
    """Measure, print a table, write the file and the plot; return the exit code."""
    order = _read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all servers are ended
    if order.plot_only:
        draw_curves(read_figures(order.output), order.plot)
        return 0
    parts = [order.only] if order.only else PARTS
    if set(parts) & {*_ON_KUBERNETES} and not are_there():
        print("Kubernetes is missing: 'make kubernetes-tools' builds it.", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in parts:
        found = _measure(name, order)
        write_figures(found, order.output)
        print_table(found)
        figures += found
    print(f"\n{os.cpu_count()} cores, which the load shares. The figures stand in {order.output}")
    if order.plot is not None:
        draw_curves(read_figures(order.output), order.plot)
    return 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how far the platform carries.")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--attempts", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--plot", type=Path, help="an SVG file for the curves")
    parser.add_argument(
        "--brief", action="store_true", help="to try the command: no figures to keep"
    )
    parser.add_argument("--plot-only", action="store_true", help="draw what stands in the file")
    order = parser.parse_args()
    if order.plot_only and order.plot is None:
        parser.error("--plot-only needs --plot FILE")
    if min(order.people, order.clusters, order.attempts, order.runs) < 1:
        parser.error("numbers start at 1")
    order.clusters = min(order.clusters, 2 * order.people)  # a person has two at most
    return order


def _measure(name: str, order: argparse.Namespace) -> list[Figure]:
    rest_s = 3.0 if order.brief else 30.0
    if name == "attempts":
        return measure_attempts(order.attempts, 5.0 if order.brief else 60.0)
    with tempfile.TemporaryDirectory(prefix="skerry-scale-", ignore_cleanup_errors=True) as folder:
        top = Path(folder)
        with serve_postgresql(_DURABLE) as server:
            if name == "runs":
                return measure_runs(server, top, order.runs, rest_s)
            with _serve_hub(server, top, order.people) as hub:
                match name:
                    case "servers":
                        return asyncio.run(measure_servers(hub, server, rest_s))
                    case "apis":
                        return asyncio.run(measure_apis(hub, server, top, rest_s))
                    case _:
                        return asyncio.run(measure_clusters(hub, top, order.clusters, rest_s))


@contextmanager
def _serve_hub(server: PostgresqlServer, top: Path, people: int) -> Iterator[ManyHub]:
    folder = top / "hub"
    folder.mkdir()
    with serve_many_hub(server, folder, people) as hub:
        try:
            yield hub
        except BaseException:
            print(hub.explain(), file=sys.stderr)
            raise


if __name__ == "__main__":
    sys.exit(main())
