"""A disaster rehearsed with the chart's own Jobs: backup, nothing left, restore elsewhere.

The platform's records are in PostgreSQL and its bytes in a bucket, as on a cluster; the other place
is another database and another bucket, so that this is the way to another cloud as well.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.helm.containers import Cluster, empty_state, find_container
from tests.helm.rendering import Chart
from tests.integration.platform.test_moving import ask_all, start_and_ask
from tests.integration.production.stage import serve_stage
from tests.minio_server import S3Server
from tests.postgresql_server import PostgresqlServer

pytestmark = [
    pytest.mark.kubernetes, pytest.mark.postgresql, pytest.mark.s3, pytest.mark.long,
    pytest.mark.timeout(900),
]  # fmt: skip

_LIMIT_S = 300.0
PARTS = ("gateway", "api", "maps", "worker", "hub")


def carry_out(cluster: Cluster, container: dict[str, Any], volume: Path) -> str:
    """Run a Job's container to its end, which must be a success; return its log."""
    process, _ = cluster.start(container, backup=volume)
    code = process.wait(_LIMIT_S)
    log = cluster.read_log(container["name"])
    assert code == 0, log
    return log


def test_a_platform_is_restored_from_the_backups_of_the_chart(
    chart: Chart, postgresql: PostgresqlServer, s3: S3Server, tmp_path: Path
) -> None:
    objects = chart.render("trial", backup={"enabled": True})
    back_up = find_container(objects, "CronJob", "skerry-backup")
    restore = find_container(objects, "CronJob", "skerry-restore")
    volume = tmp_path / "volume"
    volume.mkdir()
    with (
        empty_state(postgresql, s3) as state,
        serve_stage(
            tmp_path / "data", parts=PARTS, settings=state, database=state["SKERRY_DATABASE_URL"]
        ) as stage,
    ):
        run = stage.start(value=7.0)
        [output] = stage.wait_for(run, "succeeded")["outputs"]
        layers = (f"{output['collection']}/{output['item']}/field",)
        first = carry_out(Cluster(tmp_path, **state), back_up, volume)
        again = carry_out(Cluster(tmp_path, **state), back_up, volume)
        before = ask_all(stage.platform, layers, run)
    assert re.search(r"[1-9][0-9]* of them copied now", first)
    assert "0 of them copied now" in again
    with empty_state(postgresql, s3) as elsewhere:  # database and bucket of before are gone
        told = carry_out(Cluster(tmp_path, **elsewhere), restore, volume)
        assert re.search(r"^Restored backup \S+ into this platform", told, re.MULTILINE)
        assert start_and_ask(tmp_path / "again", layers, run, elsewhere) == before
        refused, _ = Cluster(tmp_path, **elsewhere).start(restore, backup=volume)
        assert refused.wait(_LIMIT_S) == 2
        said = Cluster(tmp_path, **elsewhere).read_log("restore")
        assert "The database is not empty" in said
