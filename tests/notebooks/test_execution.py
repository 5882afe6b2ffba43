"""Both notebooks executed for real: kernel, catalogue, Dask cluster."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError
from tests.notebooks.by_hand import repeat_notebook
from tests.platform_process import RunningPlatform

import skerry
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.pipelines import ImportResult, import_product
from skerry.processors import mask_water, ndci, turbidity_dogliotti2015
from skerry.simulate import simulate_s2_l2a

pytestmark = pytest.mark.long

PRODUCTION = "production/s2_water_quality.ipynb"
Execute = Callable[..., Any]


@pytest.fixture(scope="module")
def session(running_platform: RunningPlatform) -> Any:
    login = Login(running_platform.url, running_platform.token, running_platform.user)
    with Session(login) as opened:
        yield opened


@pytest.fixture(scope="module")
def scene(session: Session, tmp_path_factory: pytest.TempPathFactory) -> ImportResult:
    # Newer than any scene that another test leaves on the shared platform.
    path = simulate_s2_l2a(tmp_path_factory.mktemp("scenes"), size=384, day="2031-07-01")
    return import_product(path, session=session)


def list_outputs(notebook: Any) -> str:
    """Return all text that the notebook shows."""
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def find_product(session: Session) -> Any:
    (item,) = skerry.search(collections=[f"sandbox-{session.user}"], limit=1, session=session)
    return item


@pytest.mark.usefixtures("scene")
def test_the_production_notebook_takes_the_newest_scene_by_hand(
    execute: Execute, session: Session, scene: ImportResult
) -> None:
    output = list_outputs(execute(PRODUCTION))
    assert str(scene.reference) in output
    assert "SIMULATED" in output
    assert "FNU" in output
    item = find_product(session)
    assert item.properties["title"].startswith("Simulated: ")
    assert "indicative" in item.properties["title"]
    assert item.properties["skerry:derived_from"] == [str(scene.reference)]
    assert "thumbnail" in item.assets

    published = skerry.open(item, session=session).to_dataset()
    tree = skerry.open(str(scene.reference), session=session)
    bands = tree["measurements/reflectance/r20m"].to_dataset()
    water = mask_water(tree["conditions/mask/l2a_classification/r20m"].to_dataset()["scl"])
    red, edge, nir = (bands[name].where(water) for name in ("b04", "b05", "b8a"))
    turbidity = turbidity_dogliotti2015(red, nir)
    expected = {
        "turbidity": turbidity.where(turbidity <= 500),
        "ndci": ndci(red.where(red >= 0.001), edge),
    }
    for name, values in expected.items():
        assert int(published[name].count()) > 1000
        np.testing.assert_allclose(published[name].values, values.values, rtol=1e-5)


def test_an_area_of_interest_is_cut_out(
    execute: Execute, session: Session, scene: ImportResult
) -> None:
    west, south, east, north = scene.item["bbox"]
    middle = [
        west + (east - west) / 4, south + (north - south) / 4,
        east - (east - west) / 4, north - (north - south) / 4,
    ]  # fmt: skip
    execute(PRODUCTION, f'item = "{scene.reference}"\naoi = {middle}\nworkers = 1')
    cut = skerry.open(find_product(session), session=session).to_dataset()
    assert 80 < cut.sizes["x"] < 120
    assert 80 < cut.sizes["y"] < 120


@pytest.fixture(scope="module")
def repeat(
    running_platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], None]]:
    folder = tmp_path_factory.mktemp("repeated")
    with repeat_notebook(running_platform, folder, PRODUCTION) as repeat:
        yield repeat


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('item = "no/where"', "where"),
        ("aoi = [1.0, 2.0]", "not a bounding box"),
        ("aoi = [1.0, 2.0, 3.0, 4.0]", "outside"),
        ("aoi = [14.0, 53.0, 13.0, 55.0]", "west beyond its east"),
        ("aoi = [13.0, 53.0, 14.0, 95.0]", "not a bounding box"),
    ],
)
@pytest.mark.usefixtures("scene")
def test_bad_values_are_named(repeat: Callable[[str], None], parameters: str, message: str) -> None:
    with pytest.raises(CellExecutionError, match=message):
        repeat(parameters)


def test_first_steps(execute: Execute, session: Session, tmp_path: Path) -> None:
    notebook = execute("tutorials/first_steps.ipynb")
    printed = list_outputs(notebook)
    assert "ClusterClient" in printed
    data = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert any("application/vnd.jupyter.widget-view+json" in entry for entry in data), "the map"
    plots = [entry for entry in data if "application/vnd.holoviews_exec.v0+json" in entry]
    assert len(plots) >= 2, "map and time series"
    result = [
        item
        for item in skerry.search(collections=[f"sandbox-{session.user}"], session=session)
        if "cog-b04" in item.assets
    ]
    assert len(result) == 3
    assert not list(tmp_path.glob("*.SAFE"))
