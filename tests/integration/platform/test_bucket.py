"""A platform on a bucket: an import and a release are there and nowhere else, maps read them.

Dask workers read it under the grants of who started them.
"""

import base64
import hashlib
import hmac
import io
import json
import math
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pytest
from distributed import Client, Worker
from PIL import Image
from tests.minio_server import S3Server
from tests.notebooks.by_hand import execute_notebook
from tests.platform_process import RunningPlatform, start_platform

import skerry
from skerry.core.errors import SkerryError
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.core.time import utc_now
from skerry.simulate import simulate_s2_l2a
from skerry.storage import granted
from skerry.storage.granted import Accesses
from skerry.storage.s3 import connect

pytestmark = [pytest.mark.s3, pytest.mark.long, pytest.mark.timeout(900)]
PRODUCTION = Path(__file__).parents[3] / "notebooks/production/s2_water_quality.ipynb"
HERE = {"scheduler": "threads"}
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not have it


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> Iterator[str]:
    with s3.bucket() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def platform(
    s3: S3Server, bucket: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPlatform]:
    """Return a platform whose objects are in the bucket; it carries out no runs."""
    settings = {OBJECTS_VARIABLE: f"s3://{bucket}/skerry", "SKERRY_PREPARED_RUN": "off"}
    platform = start_platform(
        tmp_path_factory.mktemp("bucket") / "data", extra_environment=settings | s3.variables()
    )
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def imported(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Import a simulated scene and propose a release; return the scene's item."""
    scene = simulate_s2_l2a(tmp_path_factory.mktemp("scene"), size=366)
    platform.run("import", str(scene), "--cog")
    platform.run("release", "propose", str(PRODUCTION), "--name", "water")
    with platform.http(platform.token) as client:
        answer = client.get("/services/api/stac/search").raise_for_status().json()
    [imported] = answer["features"]
    return dict(imported)


@pytest.fixture(scope="module")
def item(imported: dict[str, Any]) -> str:
    """Return the name of the scene's item."""
    return f"{imported['collection']}/{imported['id']}"


@pytest.fixture(scope="module")
def cluster(platform: RunningPlatform, item: str) -> Iterator[Client]:
    """Give a cluster of one worker to this process, which has no key and has opened the item."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in platform.env.items():
            if name.startswith(("SKERRY_", "DASK_GATEWAY__", "JUPYTERHUB_")):
                patch.setenv(name, value)
        patch.setattr(granted, "_granted", {})
        connect.cache_clear()
        skerry.open(item)
        with skerry.cluster(workers=1) as client:
            yield client
        assert granted._listeners == []
        connect.cache_clear()


def test_everything_is_in_the_bucket_and_nothing_in_the_folder(
    platform: RunningPlatform, imported: dict[str, Any], s3: S3Server, bucket: str
) -> None:
    keys = s3.list_keys(bucket)
    prefix = imported["properties"]["skerry:prefix"]
    assert f"skerry/{prefix}product.zarr/zarr.json" in keys
    assert f"skerry/{prefix}thumbnail.png" in keys
    for room in ("releases/", "environments/", "skerry-platform.json"):
        assert any(key.startswith(f"skerry/{room}") for key in keys)
    assert not any((platform.data / "objects").iterdir())
    assert s3.secret not in json.dumps(imported)


def test_maps_and_files_come_from_the_bucket(
    platform: RunningPlatform, imported: dict[str, Any]
) -> None:
    west, south, east, north = imported["bbox"]
    count = 2**11
    x = int(((west + east) / 2 + 180) / 360 * count)
    middle = math.asinh(math.tan(math.radians((south + north) / 2)))
    y = int((1 - middle / math.pi) / 2 * count)
    variable = next(iter(imported["properties"]["skerry:variables"]))
    with platform.http(platform.token) as client:
        tile = client.get(
            f"/services/maps/tiles/{imported['collection']}/{imported['id']}/{variable}/11/{x}/{y}.png"
        )
        assert tile.status_code == 200, tile.text
        assert Image.open(io.BytesIO(tile.content)).convert("RGBA").getextrema()[3] == (0, 255)
        thumbnail = imported["assets"]["thumbnail"]["href"]
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


def list_accesses() -> Accesses:
    return {address: kept.access for address, kept in granted._granted.items()}


def sum_red(item: str) -> Any:
    return skerry.open(item)["measurements/reflectance/r60m"]["b04"].sum()


def test_workers_read_what_was_opened_before_and_after_their_start(
    cluster: Client, item: str
) -> None:
    before = skerry.open(item)["measurements/reflectance/r60m"]["b04"]
    stack = skerry.stack([item], assets=["b04", "scl"], resolution=60)
    warped = skerry.stack([item], assets=["b04"], resolution=77, epsg=3857)
    for work in (before, stack, warped):
        on_workers = work.compute()
        with dask.config.set(HERE):
            np.testing.assert_array_equal(on_workers, work.compute())
        assert np.isfinite(on_workers).any()
    cluster.cluster.scale(2)
    cluster.wait_for_workers(2, timeout=60)
    accesses = cluster.run(list_accesses)
    assert len(accesses) == 2
    assert all(found == list_accesses() for found in accesses.values())
    for number, worker in enumerate(accesses):
        work = stack.sum() + number
        value = cluster.compute(work, workers=[worker]).result()
        assert float(value) > 0


def test_the_first_tutorial_runs_unchanged(platform: RunningPlatform, tmp_path: Path) -> None:
    notebook = execute_notebook(platform, tmp_path, "tutorials/first_steps.ipynb")
    assert "ClusterClient" in str(notebook.cells)


def test_no_secret_stands_in_a_graph_an_environment_or_a_log(
    cluster: Client, platform: RunningPlatform, item: str, s3: S3Server, tmp_path: Path
) -> None:
    stack = skerry.stack([item], assets=["b04"], resolution=60)
    tree = skerry.open(item)
    stack.sum().compute()
    accesses = list_accesses().values()
    secrets = {platform.token, s3.secret,
               *(text for kept in accesses for text in (kept.secret, kept.token))}  # fmt: skip
    assert len(secrets) > 3
    cluster.dump_cluster_state(str(tmp_path / "state"), format="yaml")
    [state] = tmp_path.iterdir()
    texts = [
        cloudpickle.dumps(stack), cloudpickle.dumps(tree),
        *(str(look).encode() for look in (
            cluster.run(describe_worker), cluster.get_events(), cluster.get_worker_logs(),
            cluster.get_scheduler_logs(), cluster.scheduler_info(),
        )),
        state.read_bytes(),
        *(path.read_bytes() for path in platform.data.rglob("logs/*") if path.is_file()),
    ]  # fmt: skip
    assert not [text for text in texts for secret in secrets if secret.encode() in text]


def describe_worker(dask_worker: Worker) -> str:
    plugins = [(repr(plugin), vars(plugin)) for plugin in dask_worker.plugins.values()]
    return f"{plugins} {granted._granted} {dict(os.environ)}"


def test_credentials_are_renewed_while_work_lasts(cluster: Client, item: str) -> None:
    """Those of a worker come to their end; the process that started it asks the api for new."""
    work = sum_red(item)
    expected = float(work.compute())
    for left in (timedelta(minutes=4), timedelta(0)):
        hold = cluster.run(shorten, left)
        assert hold
        for kept in granted._granted.values():
            kept.access = kept.access.model_copy(update={"expires": utc_now() + left})
        assert float(work.compute()) == expected
        found = [access for kept in cluster.run(list_accesses).values() for access in kept.values()]
        assert max(access.expires for access in found) > utc_now() + timedelta(minutes=12)


def shorten(left: timedelta) -> int:
    """Let this process believe that its credentials end, and that its client has none."""
    for kept in granted._granted.values():
        kept.access = kept.access.model_copy(update={"expires": utc_now() + left})
    granted._connect.cache_clear()
    return len(granted._granted)


def test_credentials_that_have_expired_are_named(cluster: Client, item: str, s3: S3Server) -> None:
    """The store refuses them, however long the worker believed in them."""
    work = sum_red(item)
    cluster.run(expire, s3.secret)
    with pytest.raises(SkerryError, match=r"credentials.*expired") as caught:
        work.compute()
    assert s3.secret not in str(caught.value)
    assert "\n" not in str(caught.value.what)


def expire(owner_secret: str) -> None:
    """Put the end of a session into the past, as if its hour were over: the owner may sign that."""
    for kept in granted._granted.values():
        head, claims, _ = kept.access.token.split(".")
        content = json.loads(base64.urlsafe_b64decode(claims + "=="))
        content["exp"] = 1_700_000_000
        body = f"{head}.{write_base64(json.dumps(content).encode())}"
        seal = hmac.new(owner_secret.encode(), body.encode(), hashlib.sha512).digest()
        token = f"{body}.{write_base64(seal)}"
        kept.access = kept.access.model_copy(update={"token": token})
    granted._connect.cache_clear()


def write_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
