"""A client of a platform whose objects are in a bucket: it has no key of the bucket's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fault_proxy import (
    Fault,
    FaultProxy,
    Plan,
    at_random,
    first,
    no_faults,
    serve_faults,
)
from tests.minio_server import S3Server
from tests.served_api import ServedApi, serve_api

from skerry.core.settings import GRANTS_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.s3 import connect

pytestmark = pytest.mark.s3

WORK = """
import logging, pickle, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import cloudpickle, numpy as np, xarray as xr, rioxarray
import skerry
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import UnavailableError
from skerry.storage import granted
from skerry.storage.object_places import parse_place

session = Session(Login(url=sys.argv[1], token="alice-token", user="alice"))
values = np.arange(600 * 500, dtype="float32").reshape(600, 500)
data = xr.DataArray(
    values, dims=("y", "x"), name="height",
    coords={"y": 5_000_000.0 - 10 * np.arange(600), "x": 500_000.0 + 10 * np.arange(500)},
).to_dataset().rio.write_crs("EPSG:32632")
item = skerry.publish(data, output="heights", datetime="2026-05-01T10:00:00Z", session=session)
tree = skerry.open(item, session=session)
lazy = tree["height"] if "height" in tree else tree.to_dataset()["height"]
assert np.array_equal(lazy.values, values)

held = list(granted._granted.values())
secrets = [word for kept in held if kept.access for word in (kept.access.secret, kept.access.token)]
secrets += [
    address.rpartition("=")[2] for kept in held if not kept.access
    for address, _ in kept._kept.values()
]
assert secrets
graph = cloudpickle.dumps(tree.to_dataset().__dask_graph__()) + cloudpickle.dumps(tree)
texts = f"{held} {[kept.access for kept in held]} {granted._granted}"
for secret in secrets:
    assert secret.encode() not in graph
    assert secret not in texts
for kept in granted._granted.values():
    try:
        pickle.dumps(kept)
    except TypeError as error:
        assert "stay in the process" in str(error)
    else:
        raise AssertionError("credentials were pickled")

root = next(iter(granted._granted)).split("sandbox/")[0]
try:
    parse_place(root.rstrip("/")).write("imports/stolen", b"no")
except UnavailableError as error:
    print("REFUSED", error)
print("SECRETS", *secrets)
print("ITEM", item.id)
"""


def hide_keys() -> dict[str, str]:
    """Return the environment of this process without keys and without a platform."""
    left_out = ("AWS_", "SKERRY_", "JUPYTERHUB_")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def work(api: ServedApi, folder: Path) -> str:
    """Publish and open as alice, in a process that knows no key; return what it printed."""
    script = folder / "work.py"
    script.write_text(WORK)
    done = subprocess.run(
        [sys.executable, str(script), api.url], env=hide_keys(), cwd=folder, capture_output=True,
        text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def without_tokens(plan: Plan) -> Plan:
    """Return the plan of a store that has no token service."""
    refusal = first(10**6, Fault.ERROR, "POST", "^/$")
    return lambda request: refusal(request) or plan(request)


@pytest.mark.parametrize("way", ["credentials", "addresses"])
@pytest.mark.parametrize("share", [0.0, 0.15], ids=["well", "with faults"])
def test_a_person_publishes_and_reads_under_grants(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, way: str
) -> None:
    with serve_faults(s3.endpoint) as proxy, s3.bucket() as bucket:
        for name, value in s3.variables(proxy.endpoint).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        monkeypatch.setenv(OBJECTS_VARIABLE, f"s3://{bucket}/skerry")
        monkeypatch.setenv(GRANTS_VARIABLE, way)
        connect.cache_clear()
        with serve_api(tmp_path / "data") as api:
            plan = at_random(share, seed=5) if share else no_faults
            proxy.plan = without_tokens(plan) if way == "addresses" else plan
            printed = work(api, tmp_path)
            proxy.plan = no_faults
            check(api, s3, bucket, printed, proxy)
    connect.cache_clear()


def check(api: ServedApi, s3: S3Server, bucket: str, printed: str, proxy: FaultProxy) -> None:
    assert "REFUSED" in printed
    log, _, rest = printed.rpartition("SECRETS ")
    assert not [secret for secret in rest.splitlines()[0].split() if secret in log]
    name = printed.rpartition("ITEM ")[2].splitlines()[0]
    with api.client("alice-token") as alice:
        item = alice.get(f"stac/collections/sandbox-alice/items/{name}").json()
    prefix = item["properties"]["skerry:prefix"]
    keys = s3.list_keys(bucket)
    assert keys
    assert all(key.startswith(f"skerry/{prefix}") for key in keys), keys
