"""An attempt's Dask clusters end with it, whatever way it ends; operators see those alive."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest
from tests.integration.production.stage import LIMIT_S, SHOW, Stage, kill, make_notebook
from tests.platform_process import SKERRY, wait_until
from tests.stac_documents import make_collection

pytestmark = pytest.mark.long

_PARAMETERS = 'ending: str = "wait"'
_BEGIN = f"""\
{SHOW}
import os, time, skerry
client = skerry.cluster(workers=1)
"""
_END = """\
if ending == "exit":
    os._exit(9)
if ending == "wait":
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def job(stage: Stage) -> str:
    notebook = make_notebook((_PARAMETERS, _BEGIN, _END), parameters=0)
    stage.create_job("parallel", stage.release_notebook("parallel", notebook))
    return "parallel"


def list_clusters(stage: Stage, run: str) -> list[dict[str, Any]]:
    result = stage.ask("GET", "/clusters")["clusters"]
    return [cluster for cluster in result if cluster["run"] == run]


def wait_for_cluster(stage: Stage, run: str) -> dict[str, Any]:
    def has_worker() -> bool:
        return any(cluster["workers"] == 1 for cluster in list_clusters(stage, run))

    wait_until(has_worker, LIMIT_S, "the run's cluster has a worker", lambda: stage.explain(run))
    (cluster,) = list_clusters(stage, run)
    return cluster


def find_processes(stage: Stage, cluster: str) -> list[psutil.Process]:
    """Return scheduler and workers of a cluster, which carry its name in their environment."""
    result = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if environment.get("DASK_GATEWAY_CLUSTER_NAME") == cluster:
            result.append(process)
    return result


def _cancel(stage: Stage, run: str) -> None:
    stage.ask("POST", f"/production/runs/{run}/cancel")


def _kill(stage: Stage, run: str) -> None:
    kill(stage.attempt_pid(run, 1))


def _kill_both(stage: Stage, run: str) -> None:
    _kill(stage, run)
    stage.kill_worker()


@pytest.mark.parametrize("end", [_cancel, _kill, _kill_both])
def test_the_clusters_of_an_attempt_that_is_ended(
    stage: Stage, job: str, end: Callable[[Stage, str], None]
) -> None:
    run = stage.start(job)
    cluster = wait_for_cluster(stage, run)
    processes = find_processes(stage, cluster["name"])
    assert len(processes) >= 2
    end(stage, run)

    def is_over() -> bool:
        names = [entry["name"] for entry in list_clusters(stage, run)]
        return cluster["name"] not in names and not any(item.is_running() for item in processes)

    wait_until(is_over, LIMIT_S, "the cluster and its processes are gone")
    if stage.show(run)["status"] == "running":
        _cancel(stage, run)
    stage.wait_for(run, "cancelled")
    wait_until(lambda: not list_clusters(stage, run), LIMIT_S, "no cluster of the run is left")


def test_the_clusters_of_a_kernel_that_exits_hard(stage: Stage, job: str) -> None:
    run = stage.start(job, ending="exit")
    stage.wait_for(run, "failed")
    wait_until(lambda: not list_clusters(stage, run), LIMIT_S, "no cluster of the run is left")


def test_clusters_are_listed_and_stopped_by_command(stage: Stage, job: str) -> None:
    run = stage.start(job)
    cluster = wait_for_cluster(stage, run)
    assert (cluster["job"], cluster["attempt"], cluster["owner"]) == (job, 1, "project-main")
    assert cluster["memory"] >= 2 * 2**30
    listed = command(stage, "cluster", "list", "--json")
    assert [entry["run"] for entry in json.loads(listed)] == [run]
    # nobody else sees or ends it, not even the person whose platform it is, by the gateway itself
    gateway = f"{stage.platform.url}/services/dask-gateway/api"
    token = stage.run_environment(run)["SKERRY_TOKEN"]
    assert ask_gateway(f"{gateway}/v1/clusters/", token).json().keys() == {cluster["name"]}
    assert ask_gateway(f"{gateway}/v1/clusters/", stage.platform.token).json() == {}
    one = f"{gateway}/v1/clusters/{cluster['name']}"
    assert ask_gateway(one, stage.platform.token, "DELETE").status_code == 403
    # another run of the same job and project does not either
    neighbour = stage.start(job)
    other = stage.run_environment(neighbour)["SKERRY_TOKEN"]
    assert other != token
    assert cluster["name"] not in ask_gateway(f"{gateway}/v1/clusters/", other).json()
    for method in ("GET", "DELETE"):
        assert ask_gateway(one, other, method).status_code == 403
    _cancel(stage, neighbour)
    stage.wait_for(neighbour, "cancelled")
    # the list of all is for the platform's own parts, and only on the internal address
    assert ask_gateway(f"{gateway}/skerry/clusters", stage.platform.token).status_code == 404
    internal = psutil.Process(stage.worker_pid()).environ()["SKERRY_GATEWAY_ADDRESS"]
    assert ask_gateway(f"{internal}/api/skerry/clusters", token).status_code == 403
    assert ask_gateway(f"{internal}/api/skerry/clusters", "0" * 32).status_code == 401
    command(stage, "cluster", "stop", cluster["name"])
    [stopped] = json.loads(command(stage, "audit", "--what", "cluster", "--json"))
    assert stopped["what"] == f"cluster/{cluster['name']}"
    assert (stopped["action"], stopped["after"]) == ("stopped", {"owner": cluster["owner"]})
    wait_until(lambda: not list_clusters(stage, run), LIMIT_S, "the cluster is stopped")
    _cancel(stage, run)
    stage.wait_for(run, "cancelled")
    stage.ask("DELETE", "/clusters/nothing-of-this-name", expect=404)


def test_runs_of_two_projects_share_no_cluster_no_grant_and_no_secret(
    stage: Stage, job: str
) -> None:
    owners = {"of-lakes": "project:lakes", "of-rivers": "project:rivers"}
    for name, owner in owners.items():
        document = {**make_collection(name), "skerry:owner": owner}
        stage.ask("PUT", f"/stac/collections/{name}", json=document)
        release = stage.ask("GET", f"/production/jobs/{job}")["release"]
        stage.create_job(name, release, owner=owner)
    runs = {name: stage.start(name) for name in owners}
    clusters = {name: wait_for_cluster(stage, run)["name"] for name, run in runs.items()}
    environments = {name: stage.run_environment(run) for name, run in runs.items()}
    tokens = {name: values["SKERRY_TOKEN"] for name, values in environments.items()}
    gateway = f"{stage.platform.url}/services/dask-gateway/api/v1/clusters/"
    for own, other in (("of-lakes", "of-rivers"), ("of-rivers", "of-lakes")):
        token = tokens[own]
        assert tokens[other] not in " ".join(environments[own].values())
        assert stage.show(runs[own])["owner"] == owners[own]
        # clusters: not listed, not connected to (the answer has the key), not scaled, not stopped
        assert set(ask_gateway(gateway, token).json()) == {clusters[own]}
        assert ask_gateway(f"{gateway}{clusters[own]}", token).json()["tls_key"]
        theirs = f"{gateway}{clusters[other]}"
        for method, path in (("GET", ""), ("POST", "/scale"), ("POST", "/adapt"), ("DELETE", "")):
            assert ask_gateway(f"{theirs}{path}", token, method).status_code == 403, (method, path)
        for cluster in (clusters[own], clusters[other]):
            # nor by the api, which is for people
            assert stage.ask_with(token, "DELETE", f"/clusters/{cluster}").status_code == 403
        # grants and reports: of the own attempt only
        for run, status in ((runs[own], 201), (runs[other], 403)):
            body = {"mode": "write", "purpose": "run", "run": run, "epoch": 1}
            assert stage.ask_with(token, "POST", "/grants", json=body).status_code == status
            order = stage.ask_with(token, "GET", f"/production/runs/{run}/attempts/1/order")
            assert order.status_code == (200 if status == 201 else 403)
            log = stage.ask_with(token, "GET", f"/production/runs/{run}/log")
            assert log.status_code == 403  # also its own: only people read logs
        for name in owners:
            seen = stage.ask_with(token, "GET", f"/stac/collections/{name}")
            assert seen.status_code == (200 if name == own else 404)
    for name, run in runs.items():
        alive = [cluster["name"] for cluster in list_clusters(stage, run)]
        assert alive == [clusters[name]]
        _cancel(stage, run)
        stage.wait_for(run, "cancelled")


def ask_gateway(url: str, token: str, method: str = "GET") -> httpx.Response:
    headers = {"Authorization": f"jupyterhub {token}"}
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=30)


def command(stage: Stage, *words: str) -> str:
    done = subprocess.run(
        [*SKERRY, *words], env=stage.platform.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
