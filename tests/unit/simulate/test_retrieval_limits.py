"""What limits turbidity and NDCI on simulated scenes, found by leaving out one thing at a time.

The figures are those of `platform/library/processors.md`.
"""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import xarray as xr

from skerry.processors import ndci, turbidity_dogliotti2015
from skerry.simulate.optics import BAND_OPTICS, BandOptics, model_reflectance
from skerry.simulate.scene import SceneFields

pytestmark = pytest.mark.slow


class _Looks:
    """Level-2A pictures of one scene, with something left out of what disturbs them."""

    def __init__(self) -> None:
        from skerry.simulate.sentinel_2 import product as sentinel_2
        from skerry.simulate.sentinel_2.picture import Picture

        moment = datetime.combine(sentinel_2.DEFAULT_DAY, sentinel_2.SENSING)
        scene = sentinel_2.make_scene(300, 3, moment.date())
        self.make = lambda: Picture(scene, "L2A", 300, moment)
        self.fields = self.make().fields_of(20, 0, 150)
        hidden = self.fields.cloud | self.fields.cirrus | self.fields.shadow | self.fields.ice
        gap = self.make().gap_of(10, 0, 300).reshape(150, 2, 150, 2).any((1, 3))
        self.clear = self.fields.water & ~hidden & ~gap
        self.inside = self.fields.tsm, self.fields.chlorophyll, self.fields.cdom
        self.seen = {
            what: self.render(*what.split())
            for what in ("", "glint", "noise", "noise glint", "noise glint aerosol")
        }

    def render(self, *without: str) -> dict[str, xr.DataArray]:
        """Return the reflectance of the bands of 20 m."""
        from skerry.simulate.scene import Scene
        from skerry.simulate.sentinel_2 import radiometry

        sample = Scene.sample

        def calm(scene: Scene, *place: np.ndarray) -> SceneFields:
            fields = sample(scene, *place)
            return replace(fields, wind_speed=0 * fields.wind_speed)

        with pytest.MonkeyPatch.context() as patch:
            if "glint" in without:  # still water mirrors the sun elsewhere
                patch.setattr(Scene, "sample", calm)
            if "noise" in without:
                patch.setattr(radiometry.Radiometry, "add_noise", lambda _self, seen, _noise: seen)
            if "aerosol" in without:
                patch.setattr(radiometry, "RETRIEVED_AEROSOL", 1.0)
            picture = self.make()
            picture.render()
        numbers = {name: item.astype(np.float32) for name, item in picture.reflectances[20].items()}
        return {
            name: _band(np.where(item > 0, (item - 1000) / 10_000, np.nan))
            for name, item in numbers.items()
        }

    def water(self, name: str) -> xr.DataArray:
        """Return what the water itself reflects in a band."""
        return _band(model_reflectance(BAND_OPTICS[name], *self.inside))

    def turbidity_error(self, bands: dict[str, xr.DataArray]) -> tuple[float, float, float]:
        """Return the bias in FNU, the median relative error, and the share of lost pixels."""
        result = turbidity_dogliotti2015(bands["B04"], bands["B8A"]).values[self.clear]
        true = self.fields.tsm[self.clear]
        finite = np.isfinite(result)
        error = (result - true)[finite]
        return float(error.mean()), float(np.median(error / true[finite])), 1 - finite.mean()

    def index(self, bands: dict[str, xr.DataArray]) -> tuple[float, float]:
        """Return the bias of NDCI, and its rank correlation with chlorophyll, in clear water."""
        true = ndci(self.water("B04"), self.water("B05")).values
        result = ndci(bands["B04"], bands["B05"]).values
        finite = self.clear & np.isfinite(result) & (self.fields.tsm < 5)
        rank = _rank_correlation(result[finite], self.fields.chlorophyll[finite])
        return float((result - true)[finite].mean()), rank


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(item)) for item in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def _band(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("y", "x"))


@pytest.fixture(scope="module")
def looks() -> _Looks:
    return _Looks()


def test_the_formula_of_turbidity_alone_with_the_water(looks: _Looks) -> None:
    """Its coefficients are those of 645 nm; water absorbs more at 665."""
    bands = {name: looks.water(name) for name in ("B04", "B8A")}
    assert looks.turbidity_error(bands)[1] == pytest.approx(-0.18, abs=0.02)
    # Pure water at 645 nm: 0.325 m-1 (Pope and Fry 1997); chlorophyll-a between 620 and 664 nm.
    at_645 = BandOptics(645.0, 0.325, 0.0095, vegetation=0, soil=0, cloud=0)
    bands["B04"] = _band(model_reflectance(at_645, *looks.inside))
    assert looks.turbidity_error(bands)[1] == pytest.approx(0.11, abs=0.02)


def test_what_limits_turbidity(looks: _Looks) -> None:
    """The figures of the page: of glint, of noise, of the aerosol."""
    bias, relative, lost = looks.turbidity_error(looks.seen[""])
    assert bias == pytest.approx(0.9, abs=0.2)
    assert relative == pytest.approx(0.22, abs=0.04)
    assert lost < 0.001
    still_bias, still_relative, lost = looks.turbidity_error(looks.seen["glint"])
    assert bias - still_bias == pytest.approx(1.5, abs=0.2)
    assert still_relative == pytest.approx(-0.20, abs=0.03)
    glint = (looks.seen[""]["B04"] - looks.seen["glint"]["B04"]).values[looks.clear]
    assert np.median(glint) == pytest.approx(0.0036, abs=0.0004)
    negative = looks.seen["glint"]["B8A"].values[looks.clear] < 0
    assert negative.mean() == pytest.approx(0.18, abs=0.03)
    assert lost < 0.001, "near infrared is all noise here, but does not count"
    hazy, clean = (
        looks.turbidity_error(looks.seen[what])[0]
        for what in ("noise glint", "noise glint aerosol")
    )
    assert clean - hazy == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize(
    ("without", "bias", "rank"),
    [("", 0.08, 0.42), ("noise", 0.08, 0.66), ("noise glint", -0.01, 0.79)],
)
def test_what_limits_the_chlorophyll_index(
    looks: _Looks, without: str, bias: float, rank: float
) -> None:
    result = looks.index(looks.seen[without])
    assert result[0] == pytest.approx(bias, abs=0.02)
    assert result[1] == pytest.approx(rank, abs=0.05)
