"""satpy and ESA's CPM read the simulated Sentinel-2 products to the values of our reader.

Tolerances. satpy gives reflectance in percent, offset taken off and nodata NaN as we do: a
hundredth of it is ours to float32 rounding. It spreads the few angles of the
5 km grid over the image, whatever its size, and gives the mean of all bands and detectors: so
done, our angles are its to 1e-9 degree. CPM's values are ours to float32 rounding.
"""

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from tests.peers.comparison import check_values, check_variables, list_paths, list_variables
from tests.peers.reference_process import Arrays, ReferenceProcess
from tests.peers.simulated_products import SimulatedProducts

pytestmark = pytest.mark.peers

KINDS = ("s2-l1c", "s2-l2a")
REFLECTANCES = {"s2-l1c": 13, "s2-l2a": 4 + 10 + 11}
NOT_READ_BY_CPM = {
    "s2-l1c": {"quality/l1c_quicklook/r10m/tci"},
    "s2-l2a": {
        "quality/l2a_quicklook/r10m/tci", "quality/l2a_quicklook/r20m/tci",
        "quality/l2a_quicklook/r60m/tci", "quality/probability/r60m/cld",
        "quality/probability/r60m/snw",
    },
}  # fmt: skip
SCENE_CLASSES = "conditions/mask/l2a_classification/r20m/scl"
"""CPM makes nodata, 0, NaN here, and of that an integer: the smallest there is."""

WEATHER_DEGREES = 8 * 0.0005
"""Of nine nodes: ecCodes adds up steps, which GRIB 1 has in whole thousandths of a degree; we
divide the way from the first node to the last."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def tree(kind: str, simulated: SimulatedProducts) -> xr.DataTree:
    return simulated.tree(kind)


@pytest.fixture(scope="module")
def satpy(kind: str, simulated: SimulatedProducts, reference: ReferenceProcess) -> Arrays:
    return reference.ask("satpy_sentinel_2", "read", path=simulated.named_as_real(kind))


@pytest.fixture(scope="module")
def cpm(kind: str, simulated: SimulatedProducts, reference: ReferenceProcess) -> Arrays:
    return reference.read_with_cpm(simulated.named_as_real(kind))


def test_satpy_reads_the_same_reflectance(kind: str, tree: xr.DataTree, satpy: Arrays) -> None:
    compared = 0
    for key, theirs in satpy.items():
        name, _, resolution = key.partition("@")
        if not name.startswith("B"):
            continue
        ours = tree[f"measurements/reflectance/r{resolution}m/{name.lower()}"].to_numpy()
        assert np.isfinite(ours).any()
        check_values(theirs / 100, ours, key)
        compared += 1
    assert compared == REFLECTANCES[kind]


def test_satpy_reads_the_same_atmosphere_and_classes(tree: xr.DataTree, satpy: Arrays) -> None:
    """Optical thickness, water vapour in cm, and scene classes, nodata NaN."""
    expected = {}
    for group in tree.subtree:
        resolution = group.name.strip("rm")
        if "quality/atmosphere/" in group.path:
            expected |= {f"{name.upper()}@{resolution}": group[name] for name in ("aot", "wvp")}
        elif "l2a_classification/" in group.path:
            expected[f"SCL@{resolution}"] = group["scl"].where(group["scl"] != 0)
    assert set(expected) == {key for key in satpy if key.split("@")[0] in {"AOT", "WVP", "SCL"}}
    for key, ours in expected.items():
        check_values(satpy[key], ours, key)


def spread(nodes: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return a small grid spread over an image, its outermost nodes in the outermost pixels."""
    place = np.linspace(0, len(nodes) - 1, size)
    rows = np.stack([np.interp(place, np.arange(len(row)), row) for row in nodes])
    return np.stack([np.interp(place, np.arange(len(column)), column) for column in rows.T], axis=1)


def test_satpy_reads_the_same_angles(tree: xr.DataTree, satpy: Arrays) -> None:
    geometry = tree["conditions/geometry"].to_dataset()
    seen = geometry["viewing_incidence_angles"].mean(["band", "detector"])
    for whose, angles in {"solar": geometry["sun_angles"], "satellite": seen}.items():
        for angle in ("zenith", "azimuth"):
            nodes = angles.sel(angle=angle).transpose("y", "x").to_numpy()
            for resolution in (10, 20, 60):
                theirs = satpy[f"{whose}_{angle}_angle@{resolution}"]
                np.testing.assert_allclose(theirs, spread(nodes, len(theirs)), rtol=0, atol=1e-9)


def test_satpy_places_it_where_we_do(tree: xr.DataTree, satpy: Arrays) -> None:
    for resolution in (10, 20, 60):
        group = tree[f"measurements/reflectance/r{resolution}m"]
        half = resolution / 2
        edges = [group.x[0] - half, group.y[-1] - half, group.x[-1] + half, group.y[0] + half]
        np.testing.assert_array_equal(satpy[f"extent@{resolution}"], edges)
        code = tree.attrs["stac_discovery"]["properties"]["proj:code"]
        assert f"EPSG:{satpy[f'system@{resolution}']}" == code


def test_cpm_reads_the_same_variables(kind: str, tree: xr.DataTree, cpm: Arrays) -> None:
    """Bands, masks, flags, classes, angles and weather."""
    paths = list_paths(cpm)
    assert paths == list_variables(tree) - NOT_READ_BY_CPM[kind]
    check_variables(cpm, tree, paths - {SCENE_CLASSES})
    if SCENE_CLASSES in paths:
        theirs = cpm[SCENE_CLASSES]
        nodata = np.iinfo(theirs.dtype).min
        check_values(np.where(theirs == nodata, 0, theirs), tree[SCENE_CLASSES], SCENE_CLASSES)
        assert (theirs == nodata).any()


def test_cpm_places_it_where_we_do(tree: xr.DataTree, cpm: Arrays) -> None:
    """What it gives as coordinates of bands and detectors are not names."""
    compared = 0
    for key, theirs in cpm.items():
        path, _, name = key.partition("@")
        if name in {"x", "y", "angle"}:
            check_values(theirs, tree[path].coords[name], key)
            compared += 1
        elif name in {"latitude", "longitude"}:
            ours = tree[path].coords[name]
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=WEATHER_DEGREES, err_msg=key)
            compared += 1
    assert compared > 100
