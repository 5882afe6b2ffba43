"""Soak both platforms: ``make soak``, or ``make soak RUNS=20 SEED=7 ONLY=team``.

Usage: python -m tests.soak.run [--only alone|team] [--runs N] [--seed S]
"""

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.minio_server import serve_minio
from tests.postgresql_server import serve_postgresql
from tests.soak.checks import check_soak
from tests.soak.platforms import start_alone, start_team
from tests.soak.soak import Soak
from tests.tools.minio import locate_program

PLATFORMS = ("alone", "team")
_PATIENCE_S = 60.0
"""Seconds for each run."""
_DURABLE = {"synchronous_commit": "on"}
"""A server that crashes still has what it confirmed; the tests' own would forget the last of it."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a platform's processes while it works.")
    parser.add_argument("--only", choices=PLATFORMS)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    order = parser.parse_args()
    if order.only != "alone" and not locate_program().exists():
        parser.error("the team's platform keeps its objects in MinIO: 'make minio' builds it")
    for name in [order.only] if order.only else PLATFORMS:
        print(f"{name}:", flush=True)
        soak_once(name, order.runs, order.seed)
    return 0


def soak_once(name: str, runs: int, seed: int) -> Soak:
    """Soak a platform of its own and check what must hold."""
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="skerry-soak-", ignore_cleanup_errors=True)
        top = Path(stack.enter_context(folder))
        if name == "alone":
            soaked = stack.enter_context(start_alone(top))
        else:
            server = stack.enter_context(serve_postgresql(_DURABLE))
            store = stack.enter_context(serve_minio()) if locate_program().exists() else None
            soaked = stack.enter_context(start_team(top, server, store))
        soak = Soak(soaked, runs, seed, limit_s=120 + _PATIENCE_S * runs)
        try:
            soak.carry_out()
            check_soak(soak)
        except BaseException:
            print(soaked.explain(), file=sys.stderr)
            raise
        finally:
            soak.client.close()
        soak.say("every run succeeded once, and nothing is left")
        return soak


if __name__ == "__main__":
    sys.exit(main())
