"""Writing full Sentinel-2 products beside eopf-geozarr, beside GDAL's decoding, beside the limit.

They need real metadata and a real SAFE product, in the folder that ``SKERRY_REAL_DATA`` names;
without it nothing is measured here. Times leave out starting Python and importing.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.processes import measure_in_turns
from tests.benchmarks.real_scene import find_metadata, write_real_scene
from tests.benchmarks.records import Record, compare
from tests.platform_process import start_platform

ROOT = Path(__file__).parents[2]
PEER_PYTHON = ROOT / ".geozarr/bin/python"
PEER = "eopf-geozarr 0.12.0"
GEOZARR_ROUNDS = 3  # the disk is still busy with the product in the first
SAFE_ROUNDS = 1
TIME_BAR, PEAK_BAR, SIZE_BAR = 1 / 0.4, 1 / 0.25, 1 / 1.4
DECODING_BAR = 1 / 1.5
FORMS = ("eopf-zarr", "geozarr", "netcdf", "cog")
QUICKLOOKS = "quality/l2a_quicklook"


def measure_writing() -> list[Record]:
    """Measure GeoZarr of a full product, and a real SAFE into every format."""
    metadata = find_metadata()
    if metadata is None:
        print("writing: SKERRY_REAL_DATA names no folder of real products, nothing is measured")
        return []
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        return [*_measure_geozarr(Path(name), metadata), *_measure_safe(Path(name))]


def _measure_geozarr(folder: Path, metadata: Path) -> list[Record]:
    print("Making a full-sized product ...", flush=True)
    scene = write_real_scene(folder, metadata)
    ours, theirs = folder / "ours.zarr", folder / "theirs.zarr"
    peer = str(Path(__file__).with_name("eopf_geozarr_convert.py"))
    costs = measure_in_turns(
        {
            "ours": _subject("geozarr", ours, scene),
            "theirs": [str(PEER_PYTHON), peer, str(scene), str(theirs)],
            "limit": _subject("limit", folder / "none", scene),
        },
        rounds=GEOZARR_ROUNDS,
        clean={"ours": ours, "theirs": theirs, "limit": folder / "none"},
    )
    title = "writing: S2 L2A (4.2 GB raw) to GeoZarr, all levels, sharded"
    return [
        compare(title, "s", costs["ours"].seconds, costs["theirs"].seconds, beside=PEER,
                bar=TIME_BAR),
        compare(title, "s", costs["ours"].seconds, costs["limit"].seconds,
                beside="decoding and encoding alone"),
        compare(f"{title}, peak", "MiB", costs["ours"].peak_mib, costs["theirs"].peak_mib,
                beside=PEER, bar=PEAK_BAR),
        compare(f"{title}, written without quicklooks", "MiB",
                _count_mib(ours) - _count_mib(ours / QUICKLOOKS), _count_mib(theirs),
                beside=f"{PEER}, which leaves them out", bar=SIZE_BAR),
        compare(f"{title}, written", "MiB", _count_mib(ours), _count_mib(theirs), beside=PEER),
    ]  # fmt: skip


def _measure_safe(folder: Path) -> list[Record]:
    (safe,) = (Path(os.environ["SKERRY_REAL_DATA"]) / "safe").glob("*.SAFE")
    outputs = {f"safe-{form}": folder / f"safe.{form}" for form in FORMS}
    commands = {name: _subject(name, out, safe) for name, out in outputs.items()}
    commands["gdal"] = _subject("decode-safe", folder / "none", safe)
    platform = start_platform(folder / "data", parts=["api", "hub"])
    try:
        login = [platform.url, platform.user]
        os.environ["SKERRY_TOKEN"] = platform.token  # not among arguments, which all can read
        commands["import"] = [*_subject("import", folder / "none", safe), *login]
        costs = measure_in_turns(
            commands, rounds=SAFE_ROUNDS, clean=dict.fromkeys(commands, folder / "none") | outputs
        )
    finally:
        platform.stop()
    return [
        compare(f"writing: real S2 L2A SAFE (6.6 GB raw), {name.removeprefix('safe-')}", "s",
                cost.seconds, costs["gdal"].seconds, beside="GDAL decodes it", bar=DECODING_BAR)
        for name, cost in costs.items()
        if name != "gdal"
    ]  # fmt: skip


def _subject(name: str, out: Path, place: Path) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.writing_subjects", name, str(out), str(place)]


def _count_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
