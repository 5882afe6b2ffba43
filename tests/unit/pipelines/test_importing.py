import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio import warp

from skerry.catalog.spacetime import read_span
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.pipelines import import_product, importing
from skerry.pipelines.sources import digest_source
from skerry.products import open_product, recognition, write_geozarr
from skerry.products.sensors import mapping

pytestmark = pytest.mark.slow


class Api:
    """The answers that an import asks for, over a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.item: dict[str, Any] | None = None
        self.refusal: httpx.Response | None = None
        self.seen: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.path.removeprefix('/services/api/')}")
        if request.url.path.endswith("/grants"):
            grant = {"id": "g", "prefix": "imports/g/", "root": f"{self.root.as_uri()}/"}
            return httpx.Response(
                201, json=grant | {"mode": "write", "expires": "2026-05-01T00:00:00Z"}
            )
        if request.method == "POST":
            if self.refusal is not None:
                return self.refusal
            self.item = json.loads(request.content)
            return httpx.Response(201, json=self.item)
        if request.method == "GET" and "/items/" in request.url.path:
            return httpx.Response(200 if self.item else 404, json=self.item or {})
        return httpx.Response(404 if request.method == "GET" else 200, json={})

    @property
    def bytes_left(self) -> list[str]:
        return [path.name for path in (self.root / "imports").glob("*")]


@pytest.fixture(scope="session")
def scene(simulated: Callable[..., Path]) -> Path:
    return simulated("s2-l2a", size=120)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


@pytest.fixture
def session(api: Api) -> Iterator[Session]:
    with make_session(api) as opened:
        yield opened


def make_session(api: Api) -> Session:
    login = Login(url="http://127.0.0.1:1", token="t")
    return Session(login, transport=httpx.MockTransport(api.answer))


def test_a_scene_becomes_an_item(api: Api, session: Session, scene: Path) -> None:
    steps: list[float] = []
    result = import_product(
        scene, cog=True, session=session, progress=lambda done, _what: steps.append(done)
    )
    properties = result.item["properties"]
    assert result.created
    assert result.has_cogs
    assert str(result.reference) == f"sentinel-2-l2a-simulated/{scene.stem}"
    assert properties["skerry:source_digest"] == digest_source(scene)
    assert properties["skerry:digest"] == digest_tree(api.root / "imports/g")
    for asset in result.item["assets"].values():
        assert asset["file:checksum"] == digest_tree(api.root / asset["href"])
    assert next(iter(properties["skerry:variables"])) == "b02"
    assert properties["skerry:simulated"] is True
    assert properties["title"].startswith("Simulated: ")
    assert properties["datetime"] == "2026-05-01T10:06:01Z"
    assert {"b04", "b8a", "scl"} <= set(properties["skerry:variables"])
    assert {"product", "thumbnail", "cog-b04", "cog-scl"} <= set(result.item["assets"])
    assert result.item["assets"]["cog-b8a"]["raster:bands"][0]["spatial_resolution"] == 20.0
    assert result.item["assets"]["cog-b04"]["proj:shape"] == [120, 120]
    with rasterio.open(api.root / result.item["assets"]["cog-b04"]["href"]) as file:
        assert "SIMULATED" in file.tags()["TIFFTAG_IMAGEDESCRIPTION"]
    for asset in result.item["assets"].values():
        assert (api.root / asset["href"]).exists()
    assert steps == sorted(steps)
    assert steps[-1] == 1.0


def test_the_same_content_again_is_recognised_before_anything_is_written(
    api: Api, session: Session, scene: Path
) -> None:
    import_product(scene, session=session)
    api.seen.clear()
    result = import_product(scene, session=session)
    assert not result.created
    assert api.seen == [f"GET stac/collections/sentinel-2-l2a-simulated/items/{scene.stem}"]


def test_another_content_under_the_same_name_is_refused(
    api: Api, session: Session, scene: Path
) -> None:
    import_product(scene, session=session)
    assert api.item is not None
    api.item["properties"]["skerry:source_digest"] = "1e20other"
    api.seen.clear()
    with pytest.raises(ConflictError, match=scene.stem) as caught:
        import_product(scene, session=session)
    assert "skerry item withdraw" in caught.value.remedy
    assert len(api.seen) == 1


def test_who_comes_second_frees_their_bytes(api: Api, session: Session, scene: Path) -> None:
    winner = {
        "collection": "sentinel-2-l2a-simulated", "id": scene.stem, "assets": {},
        "properties": {"skerry:prefix": "imports/other/", "skerry:digest": "d"},
    }  # fmt: skip
    api.refusal = httpx.Response(200, json=winner)
    result = import_product(scene, session=session)
    assert not result.created
    assert api.bytes_left == []
    assert api.seen[-1] == "DELETE grants/g"


@pytest.mark.parametrize(
    ("step", "error"), [("write_cogs", OSError), ("describe_item", KeyboardInterrupt)]
)
def test_a_failure_leaves_nothing(
    api: Api, scene: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException]
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise error("no space left")

    monkeypatch.setattr(importing, step, fail)
    with make_session(api) as session, pytest.raises(error):
        import_product(scene, cog=True, session=session)
    assert api.bytes_left == []
    assert api.seen[-1] == "DELETE grants/g"
    assert [item for item in api.seen if item.startswith("PUT")] == [], "an empty collection"


def test_a_store_that_does_not_say_what_it_is_never_reaches_the_api(
    api: Api, session: Session, scene: Path, tmp_path: Path
) -> None:
    band = open_product(scene)["measurements/reflectance/r60m"].to_dataset()[["b01"]]
    write_geozarr(band.assign_attrs({}), tmp_path / "nameless.zarr")
    with pytest.raises(InvalidInputError, match="stac_discovery") as caught:
        import_product(tmp_path / "nameless.zarr", session=session)
    assert "nameless.zarr" in caught.value.what
    assert "--type and --datetime" in caught.value.remedy
    assert api.seen == []


def test_the_user_says_what_a_store_does_not_say(
    api: Api, session: Session, scene: Path, tmp_path: Path
) -> None:
    tree = open_product(scene)
    tree.attrs = {}
    write_geozarr(tree, tmp_path / "nameless.zarr")
    words = {"product_type": "S02MSIL2A", "when": "2026-05-01T10:30:00Z"}
    result = import_product(tmp_path / "nameless.zarr", session=session, **words)
    assert str(result.reference) == "sentinel-2-l2a/nameless"
    assert result.item["properties"]["product:type"] == "S02MSIL2A"
    assert result.item["properties"]["datetime"] == "2026-05-01T10:30:00Z"
    with pytest.raises(InvalidInputError, match="is of type S02MSIL2A, not S02MSIL1C"):
        import_product(scene, session=session, product_type="S02MSIL1C")
    with pytest.raises(InvalidInputError, match="The time of") as caught:
        import_product(scene, session=session, when="2020-01-01T00:00:00Z")
    assert "--datetime" in caught.value.remedy
    with pytest.raises(InvalidInputError, match="'S2' is not a product type") as caught:
        import_product(scene, session=session, product_type="S2")
    assert "S02MSIL2A" in caught.value.remedy


def test_an_item_of_a_period_needs_no_datetime(
    api: Api, session: Session, scene: Path, tmp_path: Path
) -> None:
    period = {"start_datetime": "2026-05-01T00:00:00Z", "end_datetime": "2026-05-31T00:00:00Z"}
    band = open_product(scene)["measurements/reflectance/r60m"].to_dataset()[["b01"]]
    discovery = {"id": "may", "properties": {"datetime": None, **period}}
    write_geozarr(band.assign_attrs(stac_discovery=discovery), tmp_path / "may.zarr")
    result = import_product(tmp_path / "may.zarr", collection="months", session=session)
    properties = result.item["properties"]
    assert {name: properties[name] for name in period} == period
    assert properties["datetime"] == "2026-05-16T00:00:00Z"
    assert read_span(properties) == read_span(period)


def test_each_type_goes_into_its_own_collection(
    session: Session, simulated: Callable[..., Path]
) -> None:
    result = import_product(simulated("s2-l1c", size=66), session=session)
    assert result.reference.collection == "sentinel-2-l1c-simulated"


@pytest.mark.parametrize("archive", [False, True])
def test_a_swath_becomes_an_item_with_what_maps_draw_beside_it(
    api: Api,
    session: Session,
    simulated: Callable[..., Path],
    tmp_path: Path,
    archive: bool,
) -> None:
    source = swath = simulated("olci-efr", size=66)
    if archive:
        source = Path(
            shutil.make_archive(str(tmp_path / swath.stem), "zip", swath.parent, swath.name)
        )
    result = import_product(source, session=session)
    item = result.item
    assert result.reference.collection == "sentinel-3-olci-efr-simulated"
    assert list(item["assets"]) == ["product", "map", "thumbnail"]
    assert item["assets"]["map"]["proj:code"] == "EPSG:32633"
    layers = item["properties"]["skerry:variables"]
    assert next(iter(layers)) == "oa08_radiance"
    assert {layer["asset"] for layer in layers.values()} == {"map"}
    assert item["properties"]["skerry:source_digest"] == digest_source(swath)
    opened = open_product(api.root / item["assets"]["product"]["href"])
    np.testing.assert_array_equal(
        opened["measurements/oa08_radiance"], open_product(swath)["measurements/oa08_radiance"]
    )
    again = import_product(swath, session=session)
    assert not again.created


def test_a_type_without_a_mapping_needs_a_collection(
    api: Api, session: Session, scene: Path, tmp_path: Path
) -> None:
    band = open_product(scene)["measurements/reflectance/r60m"].to_dataset()[["b01"]]
    discovery = {"id": "x", "properties": {"datetime": "2026-05-01T00:00:00Z"}}
    write_geozarr(band.assign_attrs(stac_discovery=discovery), tmp_path / "x.zarr")
    with pytest.raises(InvalidInputError, match=r"no collection.*S02MSIL1C") as caught:
        import_product(tmp_path / "x.zarr", session=session)
    assert "--collection" in caught.value.remedy
    assert api.seen == []
    assert import_product(tmp_path / "x.zarr", collection="mine", session=session).created


def test_a_refusal_leaves_nothing(api: Api, session: Session, scene: Path) -> None:
    api.refusal = httpx.Response(409, json={"detail": "Taken.", "remedy": "Delete it."})
    with pytest.raises(ConflictError, match="Taken"):
        import_product(scene, session=session)
    assert api.bytes_left == []


def test_a_folder_that_is_not_a_product_never_reaches_the_api(
    api: Api, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InvalidInputError, match="holiday"):
        import_product(tmp_path / "holiday", session=session)
    assert api.seen == []


TOY = {
    "product_type": "TOYLEVEL",
    "title": "Toy water level",
    "marks": ["toy_level.nc"],
    "names": "TOY_*",
    "documents": {},
    "catalogue": {
        "maps": [
            {"group": "measurements/water", "variables": {"level": "level"}, "resolution_m": 1000}
        ]
    },
    "attributes": {
        "stac_discovery/id": {"value": "TOY_1"},
        "stac_discovery/properties/datetime": {"value": "2026-05-01T00:00:00Z"},
        "stac_discovery/properties/product:type": {"value": "TOYLEVEL"},
    },
    "kinds": {
        "level": {
            "dims": ["rows", "columns"], "dtype": "int16", "scale_factor": 0.01,
            "fill_value": -32768, "attrs": {"long_name": "water level", "units": "m"},
        },
        "degrees": {"dims": ["rows", "columns"], "dtype": "float64"},
    },
    "groups": [{
        "path": "measurements/water", "format": "netcdf", "file": "toy_level.nc", "kind": "level",
        "variables": {
            "level": "level",
            "latitude": {"source": "latitude", "kind": "degrees", "coordinate": True},
            "longitude": {"source": "longitude", "kind": "degrees", "coordinate": True},
        },
    }],
}  # fmt: skip


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Add a mapping file to those of the package, and return a product of its type."""
    folder = tmp_path / "sensors"
    shutil.copytree(Path(mapping.__file__).parent, folder)
    (folder / "toy_level.json").write_text(json.dumps(TOY))
    monkeypatch.setattr(mapping, "resources", SimpleNamespace(files=lambda _package: folder))
    caches = (
        mapping.load_mapping, mapping.find_type, mapping.list_variables, recognition.safe_marks,
    )  # fmt: skip
    for cache in caches:
        cache.cache_clear()
    product = tmp_path / "TOY_1"
    product.mkdir()
    rows, columns = np.mgrid[:40, :50]
    dims = ("rows", "columns")
    data = xr.Dataset(
        {
            "level": (dims, (100 * rows + columns).astype(np.int16)),
            "latitude": (dims, 54.0 - 0.01 * rows),
            "longitude": (dims, 14.0 + 0.015 * columns),
        }
    )
    data["level"].attrs = {"scale_factor": 0.01, "_FillValue": np.int16(-32768)}
    data.to_netcdf(product / "toy_level.nc", engine="h5netcdf")
    yield product
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def test_a_mapping_file_alone_brings_a_new_type_into_the_catalogue(
    api: Api, session: Session, toy: Path
) -> None:
    result = import_product(toy, cog=True, session=session)
    item = result.item
    assert str(result.reference) == "toy-level/TOY_1"
    assert {"product", "map", "cog-level", "thumbnail"} == set(item["assets"])
    assert item["properties"]["skerry:variables"]["level"]["units"] == "m"
    assert item["bbox"] == pytest.approx([13.99, 53.6, 14.745, 54.01], abs=0.02)
    opened = open_product(api.root / item["assets"]["product"]["href"])
    assert float(opened["measurements/water/level"][3, 4]) == pytest.approx(3.04)
    with rasterio.open(api.root / item["assets"]["cog-level"]["href"]) as file:
        x, y = warp.transform("EPSG:4326", file.crs, [14.3], [53.8])
        [[value]] = file.sample([(x[0], y[0])])
        assert value * file.scales[0] == pytest.approx(20.2, abs=0.5 + 0.01)
