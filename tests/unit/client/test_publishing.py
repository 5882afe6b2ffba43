import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rioxarray  # noqa: F401 - registers the accessor
import xarray as xr
from PIL import Image
from tests.unit.client.conftest import RunGrants

from skerry.client import publishing
from skerry.client.descriptions import THUMBNAIL
from skerry.client.login import Login
from skerry.client.publishing import publish
from skerry.client.session import Session
from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product
from skerry.storage.run_folder import RunFolder

SOURCE: dict[str, Any] = {
    "type": "Feature", "stac_version": "1.1.0", "id": "scene", "collection": "s2",
    "geometry": {"type": "Point", "coordinates": [13.0, 54.0]}, "bbox": [13, 54, 13, 54],
    "assets": {}, "links": [],
    "properties": {
        "datetime": "2026-05-01T10:06:01Z", "platform": "sentinel-2a", "grid:code": "MGRS-33UVV",
        "skerry:simulated": True, "skerry:digest": "1e20aa",
    },
}  # fmt: skip


@pytest.fixture
def session(run_grants: RunGrants) -> Iterator[Session]:
    def answer(request: httpx.Request) -> httpx.Response:
        asked_grant = request.url.path.endswith("/grants")
        return run_grants.answer(request) if asked_grant else httpx.Response(200, json=SOURCE)

    login = Login(url="http://127.0.0.1:1", token="t")
    with Session(login, transport=httpx.MockTransport(answer)) as opened:
        yield opened


@pytest.fixture
def run_folder(run_grants: RunGrants) -> Path:
    folder = run_grants.root / "runs" / "r1" / "2"
    folder.mkdir(parents=True)
    return folder


def make_dataset() -> xr.Dataset:
    values = np.linspace(0, 40, 64 * 48, dtype="float32").reshape(64, 48)
    values[:5] = np.nan
    turbidity = xr.DataArray(
        values,
        dims=("y", "x"),
        coords={"y": 6_000_000 - 10 - 20.0 * np.arange(64), "x": 400_010 + 20.0 * np.arange(48)},
        attrs={"units": "FNU", "long_name": "turbidity"},
    )
    return xr.Dataset({"turbidity": turbidity, "ndci": turbidity * 0}).rio.write_crs(32633)


def list_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_run_stages_product_and_record(run_folder: Path, session: Session) -> None:
    item = publish(
        make_dataset(),
        output="water",
        title="Water",
        description="What it is.",
        quicklook="turbidity",
        variables={"turbidity": {"display_min": 0.0, "display_max": 30.0, "colormap": "turbo"}},
        derived_from=["s2/scene"],
        session=session,
    )
    record = json.loads((run_folder / "outputs" / "water.json").read_text())
    product = run_folder / "products" / "water"
    properties = record["item"]["properties"]
    assert record["output"] == "water"
    assert record["digest"] == properties["skerry:digest"] == digest_tree(product)
    assert properties["skerry:prefix"] == "runs/r1/2/products/water/"
    assert properties["datetime"] == "2026-05-01T10:06:01Z"
    assert properties["title"] == "Simulated: Water"
    assert properties["skerry:simulated"] is True
    assert properties["skerry:derived_from"] == ["s2/scene"]
    assert (properties["grid:code"], properties["platform"]) == ("MGRS-33UVV", "sentinel-2a")
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["proj:transform"] == [20.0, 0.0, 400000.0, 0.0, -20.0, 6000000.0]
    assert properties["skerry:variables"]["turbidity"]["display_max"] == 30.0
    assert list(properties["skerry:variables"]) == ["turbidity", "ndci"]
    assert record["item"]["assets"]["product"]["href"] == ("runs/r1/2/products/water/product.zarr")
    assert record["item"]["assets"]["product"]["file:checksum"] == digest_tree(
        product / "product.zarr"
    )
    assert 13 < record["item"]["bbox"][0] < record["item"]["bbox"][2] < 15
    assert item.id == "water"
    assert list_names(run_folder / "products") == {"water"}
    assert list_names(run_folder / "outputs") == {"water.json"}


@pytest.mark.parametrize(
    ("quicklook", "order"), [(None, ["turbidity", "ndci"]), ("ndci", ["ndci", "turbidity"])]
)
def test_maps_draw_first_what_the_author_put_first(
    run_folder: Path, session: Session, quicklook: str | None, order: list[str]
) -> None:
    publish(
        make_dataset(), output="water", quicklook=quicklook, derived_from=["s2/scene"],
        session=session,
    )  # fmt: skip
    record = json.loads((run_folder / "outputs" / "water.json").read_text())
    assert list(record["item"]["properties"]["skerry:variables"]) == order
    picture = Image.open(run_folder / "products" / "water" / THUMBNAIL).convert("RGB")
    above = np.asarray(picture)[:40].reshape(-1, 3)  # the caption is below
    assert (len(np.unique(above, axis=0)) > 50) == (order[0] == "turbidity")


def test_the_staged_product_has_the_values(run_folder: Path, session: Session) -> None:
    dataset = make_dataset()
    publish(dataset.chunk(32), output="water", derived_from=["s2/scene"], session=session)
    tree = open_product(run_folder / "products" / "water" / "product.zarr")
    xr.testing.assert_equal(
        tree.to_dataset()["turbidity"].drop_vars("spatial_ref"),
        dataset["turbidity"].drop_vars("spatial_ref"),
    )
    assert tree.attrs["other_metadata"]["simulated"] is True


def test_a_figure_can_be_the_quicklook(run_folder: Path, session: Session) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    publish(
        make_dataset(), output="water", quicklook=figure, derived_from=["s2/scene"],
        session=session,
    )  # fmt: skip
    with Image.open(run_folder / "products" / "water" / "thumbnail.png") as picture:
        assert picture.format == "PNG"
        assert picture.text["Title"] == "Simulated: water"
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 16)}
    assert (160, 0, 0) in colours, "the caption's red edge says SIMULATED"


def test_a_dataset_from_south_to_north_is_described_as_it_is_written(
    run_folder: Path, session: Session
) -> None:
    southward = make_dataset()
    item = publish(
        southward.isel(y=slice(None, None, -1)), output="water", derived_from=["s2/scene"],
        session=session,
    )  # fmt: skip
    assert item.properties["proj:transform"] == [20.0, 0.0, 400_000.0, 0.0, -20.0, 6_000_000.0]
    written = open_product(run_folder / "products" / "water" / "product.zarr").to_dataset()
    np.testing.assert_array_equal(written["turbidity"], southward["turbidity"])


def test_who_provided_the_sources_is_credited_once(
    run_folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = [{"name": "Copernicus Sentinel data 2022", "roles": ["producer"]}]
    monkeypatch.setitem(SOURCE["properties"], "providers", providers)
    item = publish(
        make_dataset(), output="water", derived_from=["s2/scene", "s2/scene"], session=session
    )
    credit = {"name": "Contains modified Copernicus Sentinel data 2022", "roles": ["producer"]}
    assert item.properties["providers"] == [credit]


def test_a_source_of_a_period_gives_the_end_of_its_period(
    run_folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = {"datetime": None, "start_datetime": "2026-05-01T00:00:00Z",
              "end_datetime": "2026-05-31T00:00:00+02:00"}  # fmt: skip
    for name, value in period.items():
        monkeypatch.setitem(SOURCE["properties"], name, value)
    item = publish(make_dataset(), output="water", derived_from=["s2/scene"], session=session)
    assert item.properties["datetime"] == "2026-05-30T22:00:00Z"


def test_inputs_of_the_run_are_the_sources_unless_named(run_folder: Path, session: Session) -> None:
    inputs = [{"collection": "s2", "item": "scene", "digest": "1e20aa"}]
    (run_folder / "inputs.json").write_text(json.dumps(inputs))
    item = publish(make_dataset()["turbidity"], output="water", session=session)
    assert item.properties["skerry:derived_from"] == ["s2/scene"]
    (link,) = item.get_links("derived_from")
    assert link.href == "http://127.0.0.1:1/services/api/stac/collections/s2/items/scene"


def test_an_output_is_published_once(run_folder: Path, session: Session) -> None:
    publish(make_dataset(), output="water", derived_from=["s2/scene"], session=session)
    before = digest_tree(run_folder)
    with pytest.raises(ConflictError, match="'water'"):
        publish(make_dataset(), output="water", derived_from=["s2/scene"], session=session)
    assert digest_tree(run_folder) == before


def test_what_a_call_left_that_did_not_finish_is_replaced(
    run_folder: Path, session: Session
) -> None:
    stale = run_folder / "products" / "water"
    stale.mkdir(parents=True)
    (stale / "half").touch()
    publish(make_dataset(), output="water", derived_from=["s2/scene"], session=session)
    assert list_names(stale) == {"product.zarr", "thumbnail.png"}


@pytest.mark.parametrize(
    ("where", "step"), [(publishing, "describe_item"), (RunFolder, "record_output")]
)
def test_a_failure_never_leaves_a_record(
    run_folder: Path, session: Session, monkeypatch: pytest.MonkeyPatch, where: Any, step: str
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(where, step, fail)
    with pytest.raises(OSError, match="disk full"):
        publish(make_dataset(), output="water", derived_from=["s2/scene"], session=session)
    assert list_names(run_folder / "outputs") == set()
    assert not [name for name in list_names(run_folder / "products") if name.endswith(".part")]


def test_a_failure_while_writing_leaves_nothing(run_folder: Path, session: Session) -> None:
    bad = make_dataset().drop_vars("spatial_ref")
    with pytest.raises(InvalidInputError):
        publish(bad, output="water", derived_from=["s2/scene"], session=session)
    assert list_names(run_folder / "products") == set()


@pytest.mark.usefixtures("run_folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "../water", "derived_from": ["s2/scene"]}, "output name"),
        ({"output": "water", "derived_from": []}, "no data time"),
        ({"output": "water", "derived_from": ["nowhere"]}, "names no item"),
        ({"output": "water", "datetime": "yesterday"}, "yesterday"),
        ({"output": "water", "datetime": "2026-05-01T00:00:00Z", "variables": {"sst": {}}}, "sst"),
        ({"output": "water", "datetime": "2026-05-01T00:00:00Z", "quicklook": "sst"}, "sst"),
    ],
)
def test_bad_input_is_named(session: Session, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        publish(make_dataset(), session=session, **options)


@pytest.mark.usefixtures("run_folder")
def test_a_product_without_a_valid_pixel_is_refused(session: Session) -> None:
    empty = make_dataset().where(False)
    with pytest.raises(InvalidInputError, match="valid pixel"):
        publish(empty, output="water", derived_from=["s2/scene"], session=session)
