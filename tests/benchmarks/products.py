"""Products beside eopf and beside the floor: reading, writing and computing on full-sized scenes.

Times leave out starting Python and importing, on both sides; peaks are of whole processes.
"""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.full_scene import write_full_scene
from tests.benchmarks.processes import Cost, measure_in_turns
from tests.benchmarks.records import Record, compare
from tests.benchmarks.subjects import COMPOSITE_BANDS, R20, SCL

ROOT = Path(__file__).parents[2]
REFERENCE_PYTHON = ROOT / ".reference/bin/python"
EOPF = "eopf 2.8.1"
ROUNDS = 3
COPY_BAR = 1 / 0.7
COPY_PEAK_MIB = 0.4e9 / 2**20
INDICES_BAR = 1 / 1.5
PEAK_MIB = 1.5e9 / 2**20
DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")


def measure_products() -> list[Record]:
    """Measure reading and writing back, indices of a whole scene, and a composite of three days."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        print("Simulating a full-sized scene ...", flush=True)
        scene = write_full_scene(folder)
        return [
            *_measure_copy(folder, scene),
            *_measure_indices(folder, scene),
            *_measure_composite(folder),
        ]


def _measure_copy(folder: Path, scene: Path) -> list[Record]:
    ours, peer = folder / "ours.zarr", folder / "eopf"
    eopf_copy = str(Path(__file__).with_name("eopf_copy.py"))
    costs = measure_in_turns(
        {
            "ours": _subject("copy", ours, scene),
            "eopf": [str(REFERENCE_PYTHON), eopf_copy, str(scene), str(peer)],
        },
        rounds=ROUNDS,
        clean={"ours": ours, "eopf": peer},
    )
    title = "products: read S2 L2A (1.9 GB raw), write back packed"
    return [
        _compare_time(title, costs["ours"], costs["eopf"], EOPF, COPY_BAR),
        _compare_peak(title, costs["ours"], COPY_PEAK_MIB),
        compare(
            f"{title}, peak", "MiB", costs["ours"].peak_mib, costs["eopf"].peak_mib, beside=EOPF
        ),
    ]


def _measure_indices(folder: Path, scene: Path) -> list[Record]:
    return _measure_beside_floor(
        "products: turbidity, NDCI, mask on 10980 x 10980",
        "indices", folder, [scene], INDICES_BAR,
    )  # fmt: skip


def _measure_composite(folder: Path) -> list[Record]:
    wanted = (*(f"{R20}/{band}" for band in COMPOSITE_BANDS), f"{R20}/x", f"{R20}/y", SCL)
    days = [write_full_scene(folder / "days", day=day, only=wanted) for day in DAYS]
    return _measure_beside_floor(
        "products: composite of 3 days x 4 variables x 5490 x 5490",
        "composite", folder, days, None,
    )  # fmt: skip


def _measure_beside_floor(
    title: str, subject: str, folder: Path, places: list[Path], bar: float | None
) -> list[Record]:
    outputs = {name: folder / f"{name}.zarr" for name in (subject, f"{subject}-floor")}
    costs = measure_in_turns(
        {name: _subject(name, out, *places) for name, out in outputs.items()},
        rounds=ROUNDS,
        clean=outputs,
    )
    ours, floor = costs.values()
    return [
        _compare_time(title, ours, floor, "the floor: read, write", bar),
        _compare_peak(title, ours, PEAK_MIB),
    ]


def _subject(name: str, out: Path, *places: Path) -> list[str]:
    command = [sys.executable, "-m", "tests.benchmarks.subjects", name, str(out)]
    return [*command, *(str(place) for place in places)]


def _compare_time(name: str, ours: Cost, peer: Cost, beside: str, bar: float | None) -> Record:
    return compare(name, "s", ours.seconds, peer.seconds, beside=beside, bar=bar)


def _compare_peak(name: str, ours: Cost, limit_mib: float) -> Record:
    return compare(f"{name}, peak", "MiB", ours.peak_mib, limit_mib, beside="the limit", bar=1)
