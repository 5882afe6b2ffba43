"""Measure beside peers: print a table, write `build/bench.json`, fail when a bar does not hold.

Usage: python -m tests.benchmarks.run [--only NAME]
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.products import measure_products
from tests.benchmarks.records import Record, print_table, write_records
from tests.benchmarks.state import measure_state
from tests.benchmarks.tiles import measure_tiles
from tests.benchmarks.writing import measure_writing

BENCHMARKS: dict[str, Callable[[], list[Record]]] = {
    "products": measure_products,
    "state": measure_state,
    "tiles": measure_tiles,
    "writing": measure_writing,
}
OUTPUT = Path(__file__).parents[2] / "build/bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure Skerry beside its peers.")
    parser.add_argument("--only", choices=BENCHMARKS, default=os.environ.get("ONLY") or None)
    selected = parser.parse_args().only
    records = [
        record
        for name, measure in BENCHMARKS.items()
        if selected in (None, name)
        for record in measure()
    ]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; seconds are medians")
    print_table(records)
    write_records(records, OUTPUT)
    failed = [record for record in records if not record.holds]
    for record in failed:
        print(f"{record.name} beside {record.peer_name}: {record.ratio} of {record.bar}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
