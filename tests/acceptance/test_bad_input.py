"""Bad input names value and remedy: exit code 2 or HTTP 4xx, and nothing is half-registered."""

import json
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from tests.platform_process import RunningPlatform

from skerry.simulate import simulate_s2_l2a

ROOT = Path(__file__).parents[2]


def _count(platform: RunningPlatform) -> tuple[int, int]:
    """Return how many items and how many import folders there are."""
    with platform.http(platform.token) as client:
        found = client.get("/services/api/stac/search?limit=1000").raise_for_status().json()
    imports = platform.data / "objects" / "imports"
    return len(found["features"]), len(list(imports.iterdir())) if imports.exists() else 0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small simulated scene to spoil copies of."""
    return simulate_s2_l2a(tmp_path_factory.mktemp("scene"), size=240, seed=3)


def _no_product(folder: Path, _scene: Path) -> Path:
    (folder / "notes").mkdir()
    (folder / "notes" / "readme.txt").write_text("nothing to see")
    return folder / "notes"


def _missing(folder: Path, _scene: Path) -> Path:
    return folder / "not-there.SAFE"


def _replace_band(folder: Path, scene: Path, change: Callable[[bytes], bytes]) -> Path:
    copy = folder / scene.name
    shutil.copytree(scene, copy)
    band = next(copy.rglob("*B04_10m.jp2"))
    band.write_bytes(change(band.read_bytes()))
    return copy


def _not_an_image(folder: Path, scene: Path) -> Path:
    return _replace_band(folder, scene, lambda content: b"no image " * (len(content) // 9))


def _climbing(folder: Path, _scene: Path) -> Path:
    path = folder / "climbing.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.SAFE/MTD_MSIL2A.xml", "<x/>")
    return path


def _inflating(folder: Path, _scene: Path) -> Path:
    path = folder / "inflating.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for index in range(4):
            archive.writestr(f"bomb.SAFE/{index}.jp2", bytes(100_000_000))
    return path


SPOILED: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a folder that is not a product": (_no_product, "notes"),
    "a path that does not exist": (_missing, "not-there.SAFE"),
    "an image that is none": (_not_an_image, "B04_10m.jp2"),
    "an archive that climbs out": (_climbing, "../../escaped.SAFE"),
    "an archive that inflates": (_inflating, "inflating.zip"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_import_refuses(
    case: str, running_platform: RunningPlatform, scene: Path, tmp_path: Path
) -> None:
    make, named = SPOILED[case]
    before = _count(running_platform)
    answer = running_platform.run("import", str(make(tmp_path, scene)), check=False)
    assert answer.returncode == 2, answer.stdout + answer.stderr
    assert named in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) >= 2  # what, and the remedy
    assert _count(running_platform) == before


def _notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def test_a_notebook_without_parameters_is_refused(
    running_platform: RunningPlatform, tmp_path: Path
) -> None:
    path = _notebook(tmp_path / "bare.ipynb", nbformat.v4.new_code_cell("print(1)"))
    answer = running_platform.run("release", "propose", str(path), check=False)
    assert answer.returncode == 2
    assert "parameters" in answer.stderr
    assert "tag" in answer.stderr


@pytest.fixture(scope="module")
def job(running_platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a job of a small approved release with one bounded parameter."""
    cell = nbformat.v4.new_code_cell("depth: int = 3", metadata={"tags": ["parameters"]})
    path = _notebook(tmp_path_factory.mktemp("notebook") / "depth.ipynb", cell)
    running_platform.run("release", "propose", str(path), "--name", "depth")
    running_platform.run("release", "approve", "depth", "--self")
    running_platform.run("job", "create", "depth-job", "--release", "depth")
    return "depth-job"


@pytest.mark.parametrize(
    ("given", "named"),
    [("colour=blue", "colour"), ("depth=shallow", "shallow"), ("depth", "depth")],
)
def test_parameters_are_checked_before_anything_runs(
    given: str, named: str, job: str, running_platform: RunningPlatform
) -> None:
    answer = running_platform.run("run", "start", job, "-p", given, check=False)
    assert answer.returncode == 2
    assert named in answer.stderr
    assert json.loads(running_platform.run("runs", "--job", job, "--json").stdout) in (
        [],
        {"runs": []},
    )


@pytest.mark.parametrize(
    "body",
    [{"parameters": {"colour": "blue"}}, {"parameters": {"depth": "shallow"}}, {"parameters": 7}],
)
def test_parameters_are_checked_over_http(
    body: dict[str, object], job: str, running_platform: RunningPlatform
) -> None:
    with running_platform.http(running_platform.token) as client:
        answer = client.post(f"/services/api/production/jobs/{job}/runs", json=body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["remedy"]


@pytest.mark.parametrize("bbox", ["-200,0,10,10", "0,-91,10,10", "0,0,10", "0,10,10,0", "a,b,c,d"])
def test_a_box_outside_the_world_is_refused(bbox: str, running_platform: RunningPlatform) -> None:
    with running_platform.http(running_platform.token) as client:
        answer = client.get("/services/api/stac/search", params={"bbox": bbox})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["remedy"]
    message = running_platform.run("search", f"--bbox={bbox}", check=False)
    assert message.returncode == 2
    assert "Traceback" not in message.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/services/api/stac/search?limit=0",
        "/services/api/stac/search?datetime=yesterday",
        "/services/api/stac/collections/none/items/none",
        "/services/api/production/runs/none",
        "/services/maps/tiles/none/none/none/99/0/0.png",
        "/services/api/no-such-place",
    ],
)
def test_every_bad_address_gets_a_problem_document(
    path: str, running_platform: RunningPlatform
) -> None:
    with running_platform.http(running_platform.token) as client:
        answer = client.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["detail"]
    assert answer.json()["remedy"]


@pytest.mark.parametrize("climb", ["../../", "%2e%2e/%2e%2e/", "..%2f..%2f", "imports/..%2f..%2f"])
def test_no_address_climbs_out_of_the_objects(
    climb: str, running_platform: RunningPlatform
) -> None:
    with socket.create_connection(("127.0.0.1", running_platform.port), timeout=30) as wire:
        request = (
            f"GET /services/api/files/{climb}state/skerry.sqlite HTTP/1.0\r\n"
            f"Authorization: token {running_platform.token}\r\n\r\n"
        )
        wire.sendall(request.encode())
        answer = wire.makefile("rb").read()
    assert int(answer.split()[1]) in range(300, 500)
    assert b"SQLite format" not in answer
