"""What a person runs on a platform: a notebook with a Dask cluster."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.platform_process import RunningPlatform

NOTEBOOK = """
import sys
from dask_gateway import Gateway
gateway = Gateway()
cluster = gateway.new_cluster()
cluster.scale(2)
client = cluster.get_client()
client.wait_for_workers(2, timeout=90)
print(cluster.name, sum(client.gather(client.map(lambda value: value * 2, range(4)))), flush=True)
sys.stdin.read()
cluster.shutdown()
"""
"""What a notebook does, with nothing but its environment. It ends when its input does."""


@contextmanager
def run_notebook(platform: RunningPlatform) -> Iterator[list[str]]:
    """Run the notebook in a process of its own; give the words that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK],
        env=platform.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()
    finally:
        process.communicate(timeout=60)
    assert process.returncode == 0
