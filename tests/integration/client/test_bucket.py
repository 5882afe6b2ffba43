"""A client of a platform whose objects are in a bucket: it has no key of the bucket's own."""

from pathlib import Path

import pytest
from tests.fault_proxy import at_random, no_faults, serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.served_api import ServedApi, serve_api
from tests.served_bucket import PUBLISH_HEIGHTS, run_without_keys, using_bucket

pytestmark = [pytest.mark.s3, pytest.mark.long]

WORK = """
import logging, pickle, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import cloudpickle
from skerry.core.errors import UnavailableError
from skerry.storage import granted
from skerry.storage.object_places import parse_place

session, item = publish_heights(sys.argv[1])
lazy = open_heights(session, item)
assert np.array_equal(lazy.values, values)

held = list(granted._granted.values())
secrets = [word for kept in held if kept.access for word in (kept.access.secret, kept.access.token)]
secrets += [
    address.rpartition("=")[2] for kept in held if not kept.access
    for address, _ in kept._kept.values()
]
assert secrets
tree = skerry.open(item, session=session)
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


@pytest.mark.parametrize("way", ["credentials", "addresses"])
@pytest.mark.parametrize("share", [0.0, 0.15], ids=["well", "with faults"])
def test_a_person_publishes_and_reads_under_grants(
    s3: S3Server, tmp_path: Path, share: float, way: str
) -> None:
    plan = at_random(share, seed=5) if share else no_faults
    with (
        serve_faults(s3.endpoint) as proxy,
        using_bucket(s3, proxy.endpoint, way) as bucket,
        serve_api(tmp_path / "data") as api,
    ):
        proxy.plan = without_tokens(plan) if way == "addresses" else plan
        done = run_without_keys(api, PUBLISH_HEIGHTS + WORK, tmp_path)
        proxy.plan = no_faults
        check(api, s3, bucket, done.stdout)


def check(api: ServedApi, s3: S3Server, bucket: str, printed: str) -> None:
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
