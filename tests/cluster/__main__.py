"""Keeps a platform on a real node until Ctrl-C: `python -m tests.cluster`, as root.

For whoever wants to look at it by hand: it prints how kubectl reaches it.
"""

import signal
import sys
import time

from tests.cluster.node import find_obstacle, run_node
from tests.cluster.preparation import copy_whole_chart, prepare
from tests.kubernetes.tools.programs import KUBECTL


def main() -> int:
    """Start a node, install the chart, wait for a signal, end all; return the exit code."""
    if obstacle := find_obstacle():
        print(obstacle, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        with run_node() as node:
            print(f"export KUBECONFIG={node.config}  # {KUBECTL.locate()}", flush=True)
            folder = node.folder / "chart"
            folder.mkdir()
            installation = prepare(node, copy_whole_chart(folder))
            print(f"Images are there after {time.monotonic() - began:.0f} s", flush=True)
            print(installation.install(), flush=True)
            print(f"Installed after {time.monotonic() - began:.0f} s", flush=True)
            with installation.opened() as url:
                print(f"It is open at {url}", flush=True)
                signal.pause()
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
