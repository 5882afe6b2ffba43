"""Import, search, open, stack, export and publish against a real platform."""

import json
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import cloudpickle
import numpy as np
import psutil
import pytest
import rasterio
import xarray as xr
from tests.platform_process import SKERRY, RunningPlatform, wait_until

import skerry
from skerry.client.references import fetch_item
from skerry.client.session import Session
from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError, NotFoundError
from skerry.pipelines import ImportResult, export_item, import_product
from skerry.products import open_product
from skerry.simulate import simulate_s2_l2a

pytestmark = pytest.mark.long

DAYS = "2026-06-01T00:00:00Z/2026-06-30T00:00:00Z"


@pytest.fixture(scope="module")
def imported(session: Session, scene: Path) -> ImportResult:
    result = import_product(scene, cog=True, session=session)
    assert result.created
    return result


def list_imports(platform: RunningPlatform) -> set[str]:
    return {path.name for path in (platform.data / "objects" / "imports").glob("*")}


def test_importing_again_changes_nothing(
    running_platform: RunningPlatform, session: Session, scene: Path, imported: ImportResult
) -> None:
    before = list_imports(running_platform)
    again = import_product(scene, session=session)
    assert not again.created
    assert again.item["properties"] == fetch_item(session, imported.reference)["properties"]
    assert list_imports(running_platform) == before


def test_a_zip_of_the_scene_is_the_same_scene(
    session: Session, scene: Path, imported: ImportResult, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / scene.stem), "zip", scene.parent, scene.name)
    again = import_product(archive, session=session)
    assert (again.created, again.reference) == (False, imported.reference)


@pytest.mark.usefixtures("imported")
def test_another_content_of_the_same_name_conflicts(
    running_platform: RunningPlatform, session: Session, scene: Path, tmp_path: Path
) -> None:
    other = simulate_s2_l2a(tmp_path, size=384, seed=2, day="2026-06-01")
    assert other.name == scene.name
    before = list_imports(running_platform)
    with pytest.raises(ConflictError, match=scene.stem):
        import_product(other, session=session)
    assert list_imports(running_platform) == before


def test_every_assets_bytes_match_its_checksum(
    running_platform: RunningPlatform, imported: ImportResult
) -> None:
    prefix = running_platform.data / "objects" / imported.item["properties"]["skerry:prefix"]
    for asset in imported.item["assets"].values():
        key = asset["href"].partition("/files/")[2]
        path = running_platform.data / "objects" / key
        assert path.is_relative_to(prefix)
        assert digest_tree(path) == asset["file:checksum"]


def test_search_finds_it_by_place_time_and_name(session: Session, imported: ImportResult) -> None:
    reference = imported.reference
    for query in (
        {"ids": [reference.item]},
        {"bbox": imported.item["bbox"], "datetime": DAYS},
        {"intersects": imported.item["geometry"], "collections": [reference.collection]},
    ):
        result = skerry.search(session=session, **query)
        assert reference.item in [item.id for item in result], query
    nowhere = skerry.search(session=session, bbox=[-40, -40, -39, -39])
    assert len(nowhere) == 0


def test_open_gives_the_values_of_the_source(
    session: Session, scene: Path, imported: ImportResult
) -> None:
    opened = skerry.open(str(imported.reference), session=session)
    source = open_product(scene)
    for path in ("measurements/reflectance/r10m", "measurements/reflectance/r60m"):
        ours, theirs = opened[path].to_dataset(), source[path].to_dataset()
        assert set(ours.data_vars) == set(theirs.data_vars)
        for name in ours.data_vars:
            np.testing.assert_array_equal(ours[name].values, theirs[name].values)


def test_stack_equals_open(session: Session, imported: ImportResult) -> None:
    tree = skerry.open(str(imported.reference), session=session)
    stacked = skerry.stack(
        [str(imported.reference)], assets=["b04", "b08"], resolution=10, session=session
    )
    fine = tree["measurements/reflectance/r10m"].to_dataset()
    for band in ("b04", "b08"):
        ours = stacked.isel(time=0).sel(band=band)
        xr.testing.assert_equal(ours["x"].drop_vars(list(ours["x"].coords)), bare(fine["x"]))
        xr.testing.assert_equal(ours["y"].drop_vars(list(ours["y"].coords)), bare(fine["y"]))
        np.testing.assert_allclose(ours.values, fine[band].values, atol=1e-6)


def bare(axis: xr.DataArray) -> xr.DataArray:
    """Return an axis without coordinates and attributes."""
    return axis.drop_vars(list(axis.coords)).drop_attrs()


def test_no_token_is_in_a_graph(session: Session, imported: ImportResult) -> None:
    stacked = skerry.stack([str(imported.reference)], session=session)
    tree = skerry.open(str(imported.reference), session=session)
    opened = tree["measurements/reflectance/r10m"].to_dataset()
    for lazy in (stacked, opened):
        assert session.token.encode() not in cloudpickle.dumps(lazy)


def test_an_export_equals_its_source(
    session: Session, scene: Path, imported: ImportResult, tmp_path: Path
) -> None:
    out = export_item(
        str(imported.reference), tmp_path / "b8a.tif", variable="b8a", session=session
    )
    (jp2,) = scene.rglob("*_B8A_20m.jp2")
    with rasterio.open(out) as ours, rasterio.open(jp2) as source:
        np.testing.assert_array_equal(ours.read(1), source.read(1))
        assert ours.transform == source.transform
        assert ours.crs == source.crs
        assert ours.nodata == 0
    assert [path.name for path in tmp_path.iterdir()] == ["b8a.tif"]


def find_exports(platform: RunningPlatform) -> list[psutil.Process]:
    """Return the processes in which the dashboards export."""
    result = []
    for process in psutil.Process(platform.part_pids()["dashboards"]).children():
        with suppress(psutil.NoSuchProcess):  # it ends at any time
            if "skerry.dashboards.exporting" in process.cmdline():
                result.append(process)
    return result


def test_a_page_exports_in_another_process(
    running_platform: RunningPlatform, session: Session, imported: ImportResult, tmp_path: Path
) -> None:
    address = f"/services/dashboards/export/{imported.reference}"
    client, other = (running_platform.http(running_platform.token) for _ in range(2))
    seen = 0
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, f"{address}/b8a.tif")
        while not answer.done():
            seen += len(find_exports(running_platform))
            assert other.get("/services/dashboards/health").is_success
    assert seen > 0
    assert answer.result().status_code == 200
    (tmp_path / "page.tif").write_bytes(answer.result().content)
    own = export_item(
        str(imported.reference), tmp_path / "own.tif", variable="b8a", session=session
    )
    with rasterio.open(tmp_path / "page.tif") as page, rasterio.open(own) as source:
        np.testing.assert_array_equal(page.read(1), source.read(1))
    missing = client.get(f"{address}/b99.tif", headers={"Accept": "text/plain"})
    assert missing.status_code == 404
    assert "b99" in missing.text


def test_an_export_ends_when_the_viewer_leaves(
    running_platform: RunningPlatform, imported: ImportResult
) -> None:
    address = f"/services/dashboards/export/{imported.reference}/b8a.tif"
    host, port = urlsplit(running_platform.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            f"GET {address} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: token {running_platform.token}\r\n\r\n".encode()
        )
        wait_until(lambda: len(find_exports(running_platform)) == 1, 60, "the export works")
        (process,) = find_exports(running_platform)
        process.suspend()  # it would never end by itself
    wait_until(lambda: not process.is_running(), 60, "the export is ended")


def test_the_command_line_says_the_same(
    running_platform: RunningPlatform, imported: ImportResult, tmp_path: Path
) -> None:
    name = str(imported.reference)
    listed = json.loads(running_platform.run("item", "list", "--json").stdout)
    assert name in [f"{item['collection']}/{item['id']}" for item in listed["features"]]
    assert "b8a" in running_platform.run("item", "show", name).stdout
    result = running_platform.run("search", "--bbox", "13,54,14,55", "--datetime", "2026-06-01")
    assert name in result.stdout
    assert "simulated" in running_platform.run("collection", "list").stdout
    out = tmp_path / "scl.tif"
    running_platform.run("export", name, "--variable", "scl", "-o", str(out))
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "absent.SAFE"], "absent.SAFE"),
        (["import", "file:///etc/passwd"], "file:///etc/passwd"),
        (["import", "http://127.0.0.1:1/a.zip"], "127.0.0.1"),
        (["search", "--bbox", "0,0,0"], "0.0, 0.0, 0.0"),
        (["search", "--bbox", "0,-100,1,1"], "-100"),
        (["search", "--bbox", "a,b"], "a,b"),
        (["search", "--datetime", "soon"], "soon"),
        (["items", "show", "nowhere"], "nowhere"),
        (["items", "show", "no/where"], "where"),
        (["items", "delete", "no/where"], "where"),
        (["collections", "delete", "no-such"], "no-such"),
    ],
)
def test_bad_input_names_the_value(
    running_platform: RunningPlatform, arguments: list[str], message: str
) -> None:
    done = running_platform.run(*arguments, check=False)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_import_that_is_told_to_end_leaves_nothing(
    running_platform: RunningPlatform, tmp_path: Path
) -> None:
    scene = simulate_s2_l2a(tmp_path, size=1098, day="2026-06-11")
    before = list_imports(running_platform)
    process = subprocess.Popen(
        [*SKERRY, "import", str(scene), "--cog"],
        env=os.environ | running_platform.env,
        stderr=subprocess.DEVNULL,
    )
    try:
        folder = running_platform.data / "objects" / "imports"
        wait_until(
            lambda: any(
                any((folder / name).iterdir()) for name in list_imports(running_platform) - before
            ),
            60,
            "the import writes",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    finally:
        process.kill()
        process.wait()
    assert list_imports(running_platform) == before


def test_a_person_publishes_to_their_sandbox(session: Session, imported: ImportResult) -> None:
    tree = skerry.open(str(imported.reference), session=session)
    dataset = tree["measurements/reflectance/r20m"].to_dataset()[["b05"]]
    first = skerry.publish(
        dataset, output="red-edge", derived_from=[str(imported.reference)], session=session
    )
    assert first.collection_id == f"sandbox-{session.user}"
    again = skerry.publish(
        dataset * 2, output="red-edge", derived_from=[str(imported.reference)], session=session
    )
    assert again.id == first.id
    assert again.properties["skerry:digest"] != first.properties["skerry:digest"]
    opened = skerry.open(again, session=session).to_dataset()
    np.testing.assert_allclose(opened["b05"].values, dataset["b05"].values * 2, rtol=1e-6)


def test_deleting_frees_the_bytes(
    running_platform: RunningPlatform, session: Session, tmp_path: Path
) -> None:
    scene = simulate_s2_l2a(tmp_path, size=180, day="2026-06-21")
    result = import_product(scene, collection="to-be-deleted", session=session)
    folder = running_platform.data / "objects" / result.item["properties"]["skerry:prefix"]
    assert folder.is_dir()
    running_platform.run("item", "delete", str(result.reference))
    assert not folder.exists()
    with pytest.raises(NotFoundError):
        skerry.open(str(result.reference), session=session)
    running_platform.run("collection", "delete", "to-be-deleted")
