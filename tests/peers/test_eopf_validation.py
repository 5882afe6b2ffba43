"""EOPF CPM 2.8.1 finds our products valid and opens them to our values.

Complete products of profile ``cpm-2.8`` are held against the validator's structure and model;
Sentinel-1 products, for which it has no model, and parts of products and derived ones against its
structure.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from tests.peers.comparison import (
    check_coordinates,
    check_variables,
    list_paths,
    list_variables,
)
from tests.peers.reference_process import ReferenceProcess
from tests.peers.simulated_products import DAY, SimulatedProducts

from skerry.pipelines.results import describe_result
from skerry.processors.registry import get_processor
from skerry.products import filter_product, open_product, write_product

pytestmark = pytest.mark.peers

ROOT = Path(__file__).parents[2]
MODELLED = ["s2-l1c", "s2-l2a", "olci-efr", "olci-err", "slstr-rbt"]
NOT_MODELLED = {
    "s2-l1c": {"quality/l1c_quicklook/r10m/tci"},
    "s2-l2a": {
        "quality/l2a_quicklook/r10m/tci", "quality/l2a_quicklook/r20m/tci",
        "quality/l2a_quicklook/r60m/tci", "quality/probability/r60m/cld",
        "quality/probability/r60m/snw",
    },
}  # fmt: skip
"""What the profile leaves out, since the model allows no more than it names."""
CONTRADICTED = [
    f"{name}_tp"
    for name in (
        "cloud_fraction", "dew_point", "east_west_stress", "latent_heat", "north_south_stress",
        "sea_ice_fraction", "sea_surface_temperature", "sensible_heat", "skin_temperature",
        "snow_albedo", "snow_depth", "soil_wetness", "solar_radiation", "specific_humidity",
        "surface_pressure", "temperature_profile", "temperature", "thermal_radiation",
        "total_column_ozone", "total_column_water_vapour", "u_wind", "v_wind",
    )
]  # fmt: skip
"""Variables of RBT: MODEL wants attributes `model` and `parameter`, which STRUCTURE forbids."""


def expect_anomalies(kind: str) -> list[str]:
    """Return what the validator says of a complete product."""
    contradicted = CONTRADICTED if kind == "slstr-rbt" else []
    return [
        f"Attribute {attribute} not available in {item} but is in model"
        for item in contradicted
        for attribute in ("model", "parameter")
    ]


@pytest.mark.parametrize("kind", MODELLED)
def test_complete_products_have_no_anomaly(
    kind: str, simulated: SimulatedProducts, reference: ReferenceProcess
) -> None:
    result = reference.validate(simulated.cpm_zarr(kind), "STRUCTURE | MODEL")
    written = list_variables(simulated.tree(kind)) - NOT_MODELLED.get(kind, set())
    assert result["kind"] == "EOProduct"
    assert result["variables"] == len(written)
    assert sorted(result["anomalies"]) == sorted(expect_anomalies(kind))


def test_a_sentinel_1_container_has_no_anomaly(
    simulated: SimulatedProducts, reference: ReferenceProcess
) -> None:
    result = reference.validate(simulated.cpm_zarr("s1-iw-grd"), "STRUCTURE")
    assert result["kind"] == "EOContainer"
    assert result["variables"] == len(list_variables(simulated.tree("s1-iw-grd")))
    assert result["anomalies"] == []


@pytest.mark.parametrize("kind", [*MODELLED, "s1-iw-grd"])
def test_cpm_reads_our_values(
    kind: str, simulated: SimulatedProducts, reference: ReferenceProcess
) -> None:
    """All values of all variables and coordinates, in CPM's own decoding."""
    tree = simulated.tree(kind)
    result = reference.read_with_cpm(simulated.cpm_zarr(kind))
    assert list_paths(result) == list_variables(tree) - NOT_MODELLED.get(kind, set())
    check_variables(result, tree, list_paths(result))
    assert check_coordinates(result, tree) > len(list_paths(result)) / 5


def lose_files(simulated: SimulatedProducts, folder: Path, kind: str, *names: str) -> xr.DataTree:
    """Return a product some of whose files are absent."""
    place = folder / simulated.safe(kind).name
    shutil.copytree(simulated.safe(kind), place)
    for name in names:
        (result,) = place.rglob(name)
        result.unlink()
    tree = open_product(place)
    assert tree.attrs["other_metadata"]["missing"]
    return tree


def cut(tree: xr.DataTree, coordinates: str) -> xr.DataTree:
    """Return the middle of a swath."""
    place = tree[coordinates].to_dataset()
    south, north = place["latitude"].quantile([0.4, 0.6]).to_numpy()
    west, east = place["longitude"].quantile([0.4, 0.6]).to_numpy()
    return filter_product(tree, aoi=(west, south, east, north))


def derive(name: str, *sources: xr.DataTree, **parameters: Any) -> xr.DataTree:
    """Return a processor's product."""
    processor = get_processor(name)
    result = processor.apply(*sources, **parameters)
    return describe_result(result, processor, parameters, sources, name=name)


def composite_two_days(simulated: SimulatedProducts) -> xr.DataTree:
    """Return a composite of a product and the same a day earlier."""
    tree = simulated.tree("s2-l2a")
    earlier = tree.copy()
    earlier.name = f"{tree.name}_EARLIER"
    item = json.loads(json.dumps(tree.attrs["stac_discovery"]))
    item["id"] = earlier.name
    for key in ("datetime", "start_datetime", "end_datetime"):
        if key in item["properties"]:
            day = f"{DAY - timedelta(days=1)}"
            item["properties"][key] = item["properties"][key].replace(f"{DAY}", day)
    earlier.attrs = {**tree.attrs, "stac_discovery": item}
    return derive(
        "composite", tree, earlier,
        group="measurements/reflectance/r20m", variables=["b04", "b05"], days=2, method="median",
    )  # fmt: skip


PARTS: dict[str, Callable[[SimulatedProducts, Path], xr.DataTree]] = {
    "partial S2": lambda entry, folder: lose_files(
        entry, folder, "s2-l2a", "*_B05_20m.jp2", "MSK_DETFOO_B03.jp2"
    ),
    "partial OLCI": lambda entry, folder: lose_files(
        entry, folder, "olci-efr", "Oa07_radiance.nc", "tie_meteo.nc"
    ),
    "partial S1": lambda entry, folder: lose_files(entry, folder, "s1-iw-grd", "*-vh-*.tiff"),
    "S2 of an area": lambda entry, _: filter_product(
        entry.tree("s2-l2a"), aoi=(401_000, 5_996_000, 403_000, 5_998_500), aoi_crs="EPSG:32633"
    ),
    "S2 of one resolution, clouds masked": lambda entry, _: filter_product(
        entry.tree("s2-l2a"), resolution="r20m", flags="cloud_high_probability | cloud_shadows"
    ),
    "OLCI of an area": lambda entry, _: cut(entry.tree("olci-efr"), "measurements"),
    "SLSTR of a grid": lambda entry, _: filter_product(
        entry.tree("slstr-rbt"), groups=["measurements/inadir", "quality/inadir"]
    ),
    "S1 of an area": lambda entry, _: cut_sentinel_1(entry.tree("s1-iw-grd")),
    "composite": lambda entry, _: composite_two_days(entry),
    "turbidity": lambda entry, _: derive("turbidity", entry.tree("s2-l2a")),
}


def cut_sentinel_1(tree: xr.DataTree) -> xr.DataTree:
    """Return what is around the middle of a Sentinel-1 image."""
    west, south, east, north = tree.attrs["stac_discovery"]["bbox"]
    width, height = (east - west) / 4, (north - south) / 4
    return filter_product(tree, aoi=(west + width, south + height, east - width, north - height))


@pytest.mark.parametrize("part", PARTS)
def test_parts_and_derived_products_have_their_structure(
    part: str, simulated: SimulatedProducts, reference: ReferenceProcess, tmp_path: Path
) -> None:
    tree = PARTS[part](simulated, tmp_path)
    write_product(tree, tmp_path / "part.zarr", form="eopf-zarr-v2", profile="cpm-2.8")
    result = reference.validate(tmp_path / "part.zarr", "STRUCTURE")
    assert result["anomalies"] == []
    assert result["variables"] > 0


def test_the_validator_finds_what_is_wrong(
    simulated: SimulatedProducts, reference: ReferenceProcess, tmp_path: Path
) -> None:
    """What the command says of a sound product and of others is what the tests above ask for."""
    tree = simulated.tree("s2-l2a")
    part = filter_product(tree, groups=["measurements"])
    write_product(part, tmp_path / "part.zarr", form="eopf-zarr-v2", profile="cpm-2.8")
    rest = filter_product(tree, groups=["conditions"])
    write_product(rest, tmp_path / "rest.zarr", form="eopf-zarr-v2", profile="cpm-2.8")
    assert reference.validate(tmp_path / "part.zarr", "STRUCTURE")["anomalies"] == []
    assert len(reference.validate(tmp_path / "part.zarr", "STRUCTURE | MODEL")["anomalies"]) > 40
    assert len(reference.validate(tmp_path / "rest.zarr", "STRUCTURE")["anomalies"]) == 1


def run_command(reference_python: Path, place: Path, folder: Path) -> tuple[int, list[str]]:
    """Return the exit code of `eopf validate` and the anomalies that it prints."""
    done = subprocess.run(
        [reference_python.with_name("eopf"), "validate", "--mode", "STRUCTURE | MODEL", place],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    assert any("successfully loaded, starting to validate" in line for line in lines), lines[-5:]
    return done.returncode, [line.partition("** ")[2] for line in lines if "** " in line]


@pytest.mark.timeout(900)  # a minute for RBT's 883 variables, on a busy machine four
@pytest.mark.parametrize("kind", MODELLED)
def test_the_command_finds_no_anomaly(
    kind: str, simulated: SimulatedProducts, reference_python: Path, tmp_path: Path
) -> None:
    code, text = run_command(reference_python, simulated.cpm_zarr(kind), tmp_path)
    assert sorted(text) == sorted(expect_anomalies(kind))
    assert (code == 0) == (not text)


def test_the_command_says_of_a_part_what_the_validator_does(
    simulated: SimulatedProducts,
    reference: ReferenceProcess,
    reference_python: Path,
    tmp_path: Path,
) -> None:
    place = tmp_path / "part.zarr"
    part = filter_product(simulated.tree("s2-l2a"), groups=["measurements"])
    write_product(part, place, form="eopf-zarr-v2", profile="cpm-2.8")
    code, text = run_command(reference_python, place, tmp_path)
    assert text == reference.validate(place, "STRUCTURE | MODEL")["anomalies"]
    assert text
    assert code != 0


def test_the_profile_data_are_the_validators(reference: ReferenceProcess) -> None:
    data = ROOT / "platform/skerry/products/healing/cpm_2_8.json"
    assert reference.ask("describe_models", "describe_all") == json.loads(data.read_text())
