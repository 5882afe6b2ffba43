import dask.array as da
import numpy as np
import pytest
import xarray as xr

from skerry.processors import turbidity_dogliotti2015
from skerry.processors.registry import get_processor
from skerry.processors.turbidity import NIR_C, POLE_FRACTION, RED_C


def _line(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, np.float32), dims="x")


@pytest.mark.parametrize(
    ("red", "nir", "expected_fnu"),
    [
        # Worked by hand from equation 1 and table 1 of the paper.
        (0.02, 0.004, 5.19517),  # 228.1 * 0.02 / (1 - 0.02 / 0.1641)
        (0.05, 0.010, 16.4028),  # the last reflectance where red alone counts
        (0.10, 0.050, 201.6947),  # 3078.9 * 0.05 / (1 - 0.05 / 0.2112)
        (0.07, 0.030, 107.6596),  # the first reflectance where near infrared alone counts
        (0.06, 0.020, 44.79670),  # the middle: (21.57419 + 68.01922) / 2
        (0.055, 0.020, 31.1573),  # a quarter: 0.75 * 18.8700 + 0.25 * 68.0192
    ],
)
def test_values_worked_by_hand(red: float, nir: float, expected_fnu: float) -> None:
    turbidity = turbidity_dogliotti2015(_line(red), _line(nir))
    assert float(turbidity[0]) == pytest.approx(expected_fnu, rel=1e-5)


def test_reflectance_near_the_pole_is_masked() -> None:
    edge = POLE_FRACTION * NIR_C
    turbidity = turbidity_dogliotti2015(
        _line(0.2, 0.2, 0.2), _line(edge * 0.99, edge * 1.01, NIR_C)
    )
    assert np.isfinite(turbidity[0])
    assert 600 < float(turbidity[0]) < 650
    assert np.isnan(turbidity[1:]).all()


def test_a_band_that_does_not_count_masks_nothing() -> None:
    turbidity = turbidity_dogliotti2015(_line(0.02, RED_C), _line(0.2, 0.02))
    assert float(turbidity[0]) == pytest.approx(5.195, rel=1e-3)
    assert float(turbidity[1]) == pytest.approx(68.019, rel=1e-3)


def test_the_blend_has_no_step() -> None:
    red = _line(*np.linspace(0.045, 0.075, 601))
    nir = _line(*np.full(601, 0.012))
    turbidity = turbidity_dogliotti2015(red, nir).to_numpy()
    assert np.abs(np.diff(turbidity)).max() < 0.25


@pytest.mark.parametrize("gap", [np.nan, -0.001])
def test_a_gap_or_negative_reflectance_is_a_gap_where_the_band_counts(gap: float) -> None:
    red = _line(gap, gap, 0.0501, 0.06, 0.07, 0.2)
    nir = _line(0.004, gap, gap, gap, gap, gap)
    assert np.isnan(turbidity_dogliotti2015(red, nir)).all()


@pytest.mark.parametrize("gap", [np.nan, -0.001, -1.0])
def test_near_infrared_does_not_count_over_clear_water(gap: float) -> None:
    """Noise about zero must not leave the brighter half of the pixels only."""
    turbidity = turbidity_dogliotti2015(_line(0.0, 0.02, 0.05), _line(gap, gap, gap))
    np.testing.assert_allclose(turbidity, [0.0, 5.19517, 16.4028], rtol=1e-5)


def test_it_says_what_it_is() -> None:
    turbidity = turbidity_dogliotti2015(_line(0.02), _line(0.01))
    assert turbidity.name == "turbidity"
    assert turbidity.dtype == np.float32
    assert turbidity.attrs["units"] == "FNU"
    assert "Dogliotti" in turbidity.attrs["long_name"]
    assert "indicative" in turbidity.attrs["long_name"], "titles and legends show it"
    assert turbidity.attrs["comment"].startswith("Indicative")
    assert "Sen2Cor" not in turbidity.attrs["comment"], "nobody knows where an array comes from"


@pytest.mark.parametrize("name", ["turbidity", "ndci"])
def test_of_a_level_2a_product_it_says_who_corrected_it(name: str) -> None:
    bands = xr.Dataset(
        {item: (("y", "x"), np.full((2, 2), 0.02)) for item in ("b04", "b05", "b8a")}
    )
    product = xr.DataTree.from_dict({"/measurements/reflectance/r20m": bands}, name="SIMULATED")
    product.attrs["stac_discovery"] = {"properties": {"product:type": "S02MSIL2A"}}
    comment = get_processor(name).apply(product)[name].attrs["comment"]
    assert comment.startswith("Indicative")
    assert "by Sen2Cor" in comment


def test_it_stays_lazy() -> None:
    band = xr.DataArray(da.full((4, 4), 0.02, dtype="float32", chunks=2), dims=("y", "x"))
    turbidity = turbidity_dogliotti2015(band, band)
    assert turbidity.chunks == ((2, 2), (2, 2))
    assert float(turbidity.compute()[0, 0]) == pytest.approx(5.195, rel=1e-3)
