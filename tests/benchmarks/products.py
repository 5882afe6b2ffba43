"""Products beside eopf and beside the floor: reading, writing and computing on full-sized scenes.

Times leave out starting Python and importing, on both sides; peaks are of whole processes.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr
from tests.benchmarks.full_scene import write_full_scene
from tests.benchmarks.opening import measure_opening
from tests.benchmarks.processes import Cost, measure, measure_in_turns
from tests.benchmarks.records import Record, compare
from tests.benchmarks.subjects import COMPOSITE_BANDS, R20, SCL, keep_results

ROOT = Path(__file__).parents[2]
REFERENCE_PYTHON = ROOT / ".reference/bin/python"
EOPF = "eopf 2.8.1"
ROUNDS = 3
RAW_BYTES = 1.85e9
"""Of the full scene, at least."""
COPY_BAR = 1 / 0.7
RECHUNK_BAR = 1.0
COPY_PEAK_MIB = 0.4e9 / 2**20
INDICES_BAR = 1 / 1.5
PEAK_MIB = 1.5e9 / 2**20
DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")


def measure_products() -> list[Record]:
    """Measure reading and writing back, indices of a scene, composites of three days, opening."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        print("Simulating a full-sized scene ...", flush=True)
        scene = write_full_scene(folder)
        return [
            *_measure_copy(folder, scene),
            *_measure_indices(folder, scene),
            *_measure_composite(folder),
            *measure_opening(folder, REFERENCE_PYTHON),
        ]


def _measure_copy(folder: Path, scene: Path) -> list[Record]:
    ours, anew, peer = folder / "ours.zarr", folder / "anew.zarr", folder / "eopf"
    eopf_copy = str(Path(__file__).with_name("eopf_copy.py"))
    costs = measure_in_turns(
        {
            "ours": _subject("copy", ours, scene),
            "anew": _subject("rechunk", anew, scene),
            "eopf": [str(REFERENCE_PYTHON), eopf_copy, str(scene), str(peer)],
        },
        rounds=ROUNDS,
        clean={"ours": ours, "anew": anew, "eopf": peer},
    )
    copies = {"ours": ours, "anew": anew, "eopf": peer / "copy.zarr"}
    for copy in copies.values():
        check_same_numbers(scene, copy)
    title = "products: read S2 L2A (1.9 GB raw), write back packed"
    rechunked = "products: the same into chunks of 1830 (all numbers decoded and encoded)"
    return [
        _compare_time(title, costs["ours"], costs["eopf"], EOPF, COPY_BAR),
        _compare_peak(title, costs["ours"], COPY_PEAK_MIB),
        _compare_peaks(title, costs["ours"], costs["eopf"]),
        _compare_time(rechunked, costs["anew"], costs["eopf"], f"{EOPF}, chunks kept", RECHUNK_BAR),
        _compare_peak(rechunked, costs["anew"], COPY_PEAK_MIB),
        _compare_peaks(rechunked, costs["anew"], costs["eopf"]),
    ]


def check_same_numbers(scene: Path, copy: Path) -> None:
    """See that a copy holds every raster and table of a product with the same stored numbers.

    Of single numbers and axes eopf changes how times are counted.

    Raises
    ------
    AssertionError
        If it does not.
    """
    one, other = zarr.open_group(scene, mode="r"), zarr.open_group(copy, mode="r")
    compared = 0
    for name, array in one.members(max_depth=None):
        if isinstance(array, zarr.Array) and array.ndim > 1:
            np.testing.assert_array_equal(other[name][...], array[...], err_msg=f"{copy}: {name}")
            compared += array.nbytes
    assert compared > RAW_BYTES, f"{copy}: only {compared} bytes compared"


def _measure_indices(folder: Path, scene: Path) -> list[Record]:
    title = "products: turbidity, NDCI, mask on 10980 x 10980"
    return _measure_beside_floor({"indices": title}, folder, [scene], INDICES_BAR)


def _measure_composite(folder: Path) -> list[Record]:
    expected = (*(f"{R20}/{band}" for band in COMPOSITE_BANDS), f"{R20}/x", f"{R20}/y", SCL)
    days = [write_full_scene(folder / "days", day=day, only=expected) for day in DAYS]
    title = "products: composite of 3 days x 4 variables x 5490 x 5490"
    titles = {"composite": f"{title}, most recent", "composite-median": f"{title}, median"}
    return _measure_beside_floor(titles, folder, days, None)


def _measure_beside_floor(
    titles: dict[str, str], folder: Path, places: list[Path], bar: float | None
) -> list[Record]:
    """Measure subjects beside the floor of the first one."""
    first, *_ = titles
    outputs = {name: folder / f"{name}.zarr" for name in (*titles, f"{first}-floor")}
    commands = {name: _subject(name, out, *places) for name, out in outputs.items()}
    measure(commands[first])
    keep_results(outputs[first])
    costs = measure_in_turns(commands, rounds=ROUNDS, clean=outputs)
    check_same_results(outputs[first], outputs[f"{first}-floor"])
    records = []
    for name, title in titles.items():
        floor = "the floor: read, write"
        records += [
            _compare_time(title, costs[name], costs[f"{first}-floor"], floor, bar),
            _compare_peak(title, costs[name], PEAK_MIB),
        ]
    return records


def check_same_results(ours: Path, floor: Path) -> None:
    """See that a floor wrote what its subject wrote.

    Raises
    ------
    AssertionError
        If it did not.
    """
    one, other = zarr.open_group(ours, mode="r"), zarr.open_group(floor, mode="r")
    for name, array in one["measurements"].arrays():
        if array.ndim > 1:
            np.testing.assert_array_equal(other[f"measurements/{name}"][...], array[...])


def _subject(name: str, out: Path, *places: Path) -> list[str]:
    command = [sys.executable, "-m", "tests.benchmarks.subjects", name, str(out)]
    return [*command, *(str(place) for place in places)]


def _compare_time(name: str, ours: Cost, peer: Cost, beside: str, bar: float | None) -> Record:
    return compare(name, "s", ours.seconds, peer.seconds, beside=beside, bar=bar)


def _compare_peak(name: str, ours: Cost, limit_mib: float) -> Record:
    return compare(f"{name}, peak", "MiB", ours.peak_mib, limit_mib, beside="the limit", bar=1)


def _compare_peaks(name: str, ours: Cost, peer: Cost) -> Record:
    return compare(f"{name}, peak", "MiB", ours.peak_mib, peer.peak_mib, beside=EOPF)
