import numpy as np
import pytest
import xarray as xr

from skerry.processors import ndci


def _line(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, np.float32), dims="x")


def test_values_worked_by_hand() -> None:
    index = ndci(red=_line(0.02, 0.03, 0.05), red_edge=_line(0.03, 0.02, 0.05))
    assert index.to_numpy() == pytest.approx([0.2, -0.2, 0.0], abs=1e-6)


def test_gaps_negatives_and_zeros_become_gaps() -> None:
    index = ndci(_line(np.nan, 0.02, -0.01, 0.02, 0.0), _line(0.02, np.nan, 0.03, -0.01, 0.0))
    assert np.isnan(index).all()


def test_it_says_what_it_is() -> None:
    index = ndci(_line(0.02), _line(0.03))
    assert index.name == "ndci"
    assert index.attrs["units"] == "1"
    assert "Mishra" in index.attrs["long_name"]
    assert "indicative" in index.attrs["long_name"], "titles and legends show it"
    assert index.attrs["comment"].startswith("Indicative")
