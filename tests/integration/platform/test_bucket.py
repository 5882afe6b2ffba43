"""A platform on a bucket: an import and a release are there and nowhere else, maps read them."""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.minio_server import S3Server
from tests.platform_process import RunningPlatform, start_platform

from skerry.core.settings import OBJECTS_VARIABLE

NOTEBOOK = Path(__file__).parents[3] / "notebooks/production/s2_water_quality.ipynb"

pytestmark = [pytest.mark.s3, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> Iterator[str]:
    with s3.bucket() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def platform(
    s3: S3Server, bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPlatform]:
    """Return a platform whose objects are in the bucket."""
    settings = {OBJECTS_VARIABLE: f"s3://{bucket}/skerry", **s3.variables()}
    platform = start_platform(
        tmp_path_factory.mktemp("bucket") / "data", extra_environment=settings
    )
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def item(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Import a simulated scene and propose a release; return the scene's item."""
    folder = tmp_path_factory.mktemp("scene")
    platform.run("simulate", "s2-l2a", str(folder))
    [scene] = folder.glob("*.SAFE")
    platform.run("import", str(scene))
    platform.run("release", "propose", str(NOTEBOOK), "--name", "water")
    [imported] = ask(platform, "api/stac/search")["features"]
    return dict(imported)


def ask(platform: RunningPlatform, path: str, **params: str) -> Any:
    with platform.http(platform.token) as client:
        return client.get(f"/services/{path}", params=params).raise_for_status().json()


def test_everything_is_in_the_bucket_and_nothing_in_the_folder(
    platform: RunningPlatform, item: dict[str, Any], s3: S3Server, bucket: str
) -> None:
    keys = s3.list_keys(bucket)
    prefix = item["properties"]["skerry:prefix"]
    assert f"skerry/{prefix}product.zarr/zarr.json" in keys
    assert f"skerry/{prefix}thumbnail.png" in keys
    for room in ("releases/", "environments/", "skerry-platform.json"):
        assert any(key.startswith(f"skerry/{room}") for key in keys)
    assert not any((platform.data / "objects").iterdir())
    assert s3.secret not in json.dumps(item)


def test_maps_and_files_come_from_the_bucket(
    platform: RunningPlatform, item: dict[str, Any]
) -> None:
    west, south, east, north = item["bbox"]
    count = 2**11
    x = int(((west + east) / 2 + 180) / 360 * count)
    middle = math.asinh(math.tan(math.radians((south + north) / 2)))
    y = int((1 - middle / math.pi) / 2 * count)
    variable = next(iter(item["properties"]["skerry:variables"]))
    with platform.http(platform.token) as client:
        tile = client.get(
            f"/services/maps/tiles/{item['collection']}/{item['id']}/{variable}/11/{x}/{y}.png"
        )
        assert tile.status_code == 200, tile.text
        assert Image.open(io.BytesIO(tile.content)).convert("RGBA").getextrema()[3] == (0, 255)
        thumbnail = item["assets"]["thumbnail"]["href"]
        part = client.get(thumbnail, headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, b"PNG")


def test_only_the_parts_that_open_the_bucket_know_its_key(
    platform: RunningPlatform, s3: S3Server
) -> None:
    environments = {
        name: Path(f"/proc/{pid}/environ").read_bytes()
        for name, pid in (platform.part_pids() | {"up": platform.pid}).items()
    }
    informed = {name for name, text in environments.items() if b"AWS_SECRET_ACCESS_KEY=" in text}
    assert informed == {"up", "api", "maps", "worker"}
    # notebooks run as the same user: they see what the system shows, and no secret there
    assert not [name for name, text in environments.items() if s3.secret.encode() in text]
    for name in platform.part_pids():
        assert s3.secret not in platform.log_text(name)
