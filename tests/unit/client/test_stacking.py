import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import httpx
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box, mapping

from skerry.client.login import Login
from skerry.client.session import Session
from skerry.client.stacking import stack
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.time import parse_time

TOKEN = "very-secret-token"
TRANSFORM = Affine(20.0, 0.0, 400000.0, 0.0, -20.0, 6000000.0)


def write_cog(path: Path, raw: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "COG", "height": raw.shape[0], "width": raw.shape[1], "count": 1,
        "dtype": "uint16", "crs": "EPSG:32633", "transform": TRANSFORM, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(raw, 1)


FOOTPRINT = mapping(box(13.47, 54.1, 13.49, 54.14))


class Catalogue:
    """Two scenes with one COG each, and the api's two answers about them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.raw = {}
        self.times: dict[str, dict[str, str | None]] = {
            "a": {"datetime": "2026-05-01T10:00:00Z"}, "b": {"datetime": "2026-05-11T10:00:00Z"},
        }  # fmt: skip
        random = np.random.default_rng(1)
        for name in ("a", "b"):
            self.raw[name] = random.integers(1000, 3000, (64, 48), dtype="uint16")
            self.raw[name][:4] = 0
            write_cog(root / "imports" / name / "cogs" / "b04.tif", self.raw[name])

    def answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        if name == "grants":
            name = json.loads(request.content)["item"]
            grant = {"id": None, "prefix": f"imports/{name}/", "root": f"{self.root.as_uri()}/"}
            return httpx.Response(
                201, json=grant | {"mode": "read", "expires": "2026-05-01T00:00:00Z"}
            )
        return httpx.Response(200, json=self.describe(name))

    def describe(self, name: str) -> dict[str, Any]:
        href = f"http://127.0.0.1:1/services/api/files/imports/{name}/cogs/b04.tif"
        asset = {
            "href": href, "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "proj:code": "EPSG:32633", "proj:shape": [64, 48], "proj:transform": TRANSFORM[:6],
            "raster:bands": [{"nodata": 0, "scale": 0.0001, "offset": -0.1}],
        }  # fmt: skip
        return {
            "type": "Feature", "stac_version": "1.1.0", "id": name, "collection": "s2",
            "bbox": [13.47, 54.1, 13.49, 54.14], "geometry": FOOTPRINT,
            "properties": {**self.times[name], "proj:code": "EPSG:32633"},
            "assets": {"cog-b04": asset}, "links": [],
        }  # fmt: skip


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path)


@pytest.fixture
def session(catalogue: Catalogue) -> Iterator[Session]:
    transport = httpx.MockTransport(catalogue.answer)
    with Session(Login(url="http://127.0.0.1:1", token=TOKEN), transport=transport) as opened:
        yield opened


def test_scale_offset_and_nodata_are_applied(catalogue: Catalogue, session: Session) -> None:
    stacked = stack(["s2/b", "s2/a"], assets=["b04"], session=session)
    assert stacked.dims == ("time", "band", "y", "x")
    assert list(stacked["band"].values) == ["b04"]
    for index, name in enumerate(("a", "b")):
        raw = catalogue.raw[name].astype("float64")
        expected = np.where(raw == 0, np.nan, raw * 0.0001 - 0.1)
        np.testing.assert_allclose(stacked[index, 0].values, expected, atol=1e-12)
    assert stacked["x"].values[0] == 400010.0
    assert stacked["y"].values[0] == 5999990.0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-05-11T10:00:00Z", "2026-05-11T10:00:00.5Z"),
        ("2026-05-11T11:30:00+02:00", "2026-05-11T10:00:00Z"),
        (None, "2026-05-11T10:00:00Z"),
    ],
)
def test_items_stand_in_the_order_of_their_times(
    catalogue: Catalogue, session: Session, first: str | None, second: str
) -> None:
    """However their texts sort; an item without a moment has the start of its period."""
    period = {"start_datetime": "2026-05-10T09:00:00Z", "end_datetime": "2026-05-10T09:03:00Z"}
    catalogue.times = {"b": {"datetime": first, **({} if first else period)},
                       "a": {"datetime": second}}  # fmt: skip
    stacked = stack(["s2/a", "s2/b"], assets=["b04"], session=session)
    assert list(stacked["id"].values) == ["b", "a"]
    moments = [np.datetime64(parse_time(text or period["start_datetime"]).replace(tzinfo=None))
               for text in (first, second)]  # fmt: skip
    np.testing.assert_array_equal(stacked["time"], moments)
    assert stacked["time"].to_index().is_monotonic_increasing


def test_the_graph_holds_no_token(session: Session) -> None:
    stacked = stack(["s2/a", "s2/b"], session=session)
    content = cloudpickle.dumps(stacked)
    assert TOKEN.encode() not in content
    assert b"services/api" not in content
    assert TOKEN.encode() not in pickle.dumps(dict(stacked.attrs), protocol=0)


def test_an_area_is_cut_out(session: Session) -> None:
    area = box(13.4725, 54.132, 13.478, 54.136)
    stacked = stack(["s2/a"], aoi=area, session=session)
    assert 0 < stacked.sizes["y"] < 64
    assert 0 < stacked.sizes["x"] < 48


def test_bounds_are_in_the_crs_of_the_stack(session: Session) -> None:
    stacked = stack(["s2/a"], bounds=(400100, 5999000, 400300, 5999400), session=session)
    assert (stacked.sizes["y"], stacked.sizes["x"]) == (20, 10)


def test_missing_bands_and_items_are_named(session: Session) -> None:
    with pytest.raises(NotFoundError, match="cog-b08"):
        stack(["s2/a"], assets=["b08"], session=session)
    with pytest.raises(InvalidInputError, match="no items"):
        stack([], session=session)
