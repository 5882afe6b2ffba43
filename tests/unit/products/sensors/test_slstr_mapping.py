"""The mapping file of SLSTR L1 RBT names what real products hold."""

from collections import Counter

import numpy as np
import pytest

from skerry.products.sensors.mapping import load_mapping
from skerry.products.sensors.records import Kind, Variable

Names = dict[str, tuple[str, Variable, Kind]]


@pytest.fixture(scope="module")
def names() -> Names:
    """Return path to file, variable and kind."""
    mapping = load_mapping("sentinel_3_slstr_rbt")
    return {
        f"{group.path}/{name}": (
            variable.file or group.file, variable, mapping.kind_of(group, variable)
        )
        for group in mapping.groups
        for name, variable in group.variables.items()
    }  # fmt: skip


def test_all_variables_of_all_files(names: Names) -> None:
    assert len(names) == 921
    assert sum(variable.coordinate for _, variable, _ in names.values()) == 38
    files = Counter(file for file, _, _ in names.values())
    assert len(files) == 97
    assert files["S4_radiance_bo.nc"] == 4
    assert files["S7_quality_io.nc"] == 27
    assert files["viscal.nc"] == 36
    sources = [(file, variable.source) for file, variable, _ in names.values()]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize(
    ("path", "file", "source", "dims", "dtype", "fill"),
    [
        ("measurements/boblique/s6_radiance_bo", "S6_radiance_bo.nc", "S6_radiance_bo",
         ("rows", "columns"), "int16", -32768),
        ("measurements/fnadir/orphan/f1_bt", "F1_BT_fn.nc", "F1_BT_orphan_fn",
         ("rows", "orphan_pixels"), "int16", -32768),
        ("measurements/inadir/latitude", "geodetic_in.nc", "latitude_in",
         ("rows", "columns"), "int32", -2147483648),
        ("quality/ioblique/confidence_io", "flags_io.nc", "confidence_io",
         ("rows", "columns"), "uint16", None),
        ("conditions/processing/aoblique/orphan/pixel", "indices_ao.nc", "pixel_orphan_ao",
         ("rows", "orphan_pixels"), "uint16", 65535),
        ("conditions/time_bn/oblique_minimal_ts_b", "time_bn.nc", "Oblique_Minimal_ts_b",
         ("rows",), "int64", -9223372036854775808),
        ("conditions/geometry_to/sat_path_to", "geometry_to.nc", "sat_path_to",
         ("rows", "columns"), "float64", 999),
        ("conditions/meteorology/u_wind_tp", "met_tx.nc", "u_wind_tx",
         ("t_series", "rows", "columns"), "float32", None),
        ("conditions/instrument/inadir/s9/s9_dt_bb2_in", "S9_quality_in.nc", "S9_dT_BB2_in",
         ("detectors", "integrators", "rows"), "float64", -1),
        ("conditions/viscal/s4_bb1_sd", "viscal.nc", "S4_BB1_SD",
         ("swir_detectors", "views", "integrators"), "float32", -1),
    ],
)  # fmt: skip
def test_samples(
    names: Names, path: str, file: str, source: str, dims: tuple[str, ...], dtype: str,
    fill: float | None,
) -> None:  # fmt: skip
    result, variable, kind = names[path]
    assert (result, variable.source) == (file, source)
    assert (kind.dims, kind.dtype, kind.fill_value) == (dims, dtype, fill)


def test_flags_have_as_many_meanings_as_bits(names: Names) -> None:
    flags = [kind for _, _, kind in names.values() if "flag_masks" in kind.attrs]
    assert len(flags) == 104
    for kind in flags:
        assert len(kind.attrs["flag_masks"]) == len(kind.attrs["flag_meanings"].split())
        assert len(kind.attrs["flag_masks"]) == 8 * np.dtype(kind.dtype).itemsize


def test_a_channel_has_its_own_limits_and_names(names: Names) -> None:
    kind = names["conditions/instrument/bnadir/s5/s5_t_detector_bn"][2]
    assert (kind.attrs["valid_min"], kind.attrs["valid_max"]) == (67.20722, 101.2603)
    kind = names["measurements/ioblique/s8_bt_io"][2]
    assert kind.attrs["long_name"] == (
        "gridded pixel brightness temperature for channel s8 (1km TIR grid, oblique view)"
    )
