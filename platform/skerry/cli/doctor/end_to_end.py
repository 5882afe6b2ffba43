"""`skerry doctor --run`: the whole way once, with the platform's own small notebook.

A run is started as a job and carried out by the real worker; its product, which stays preliminary,
is found by a search and drawn as a tile; a Dask cluster of one worker is asked for. In the end all
of it is removed, also when a step fails or somebody presses Ctrl-C.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from skerry.cli.doctor.findings import Finding
from skerry.client.notices import end_end_to_end, start_end_to_end
from skerry.client.production import cancel_run, fetch_run
from skerry.client.session import Session
from skerry.core.errors import ConflictError, SkerryError, UnavailableError
from skerry.core.patience import ask_patiently
from skerry.core.settings import GATEWAY_PREFIX, MAPS_PREFIX
from skerry.models.clusters import ClusterList
from skerry.models.notices import EndToEndResult, EndToEndStart
from skerry.models.runs import RunDetails, RunStatus

_POLL_S = 0.5
_RUN_WITHIN_S = 300.0
_CLUSTER_WITHIN_S = 180.0
_PATIENCE_S = 30.0
_CLUSTERS = f"{GATEWAY_PREFIX}/api/v1/clusters/"
_ZOOM = 13
_PNG = b"\x89PNG\r\n"


class EndToEndRun:
    """One end-to-end run, step by step.

    Parameters
    ----------
    session
        The session of an account that may start runs and read products.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._started: EndToEndStart | None = None
        self._item: dict[str, Any] = {}

    def go(self) -> Iterator[Finding]:
        """Yield the finding of each step when it is over; the last is that of the clean-up."""
        begin = time.monotonic()
        steps: list[tuple[str, Callable[[], str]]] = [
            ("start", self._start), ("run", self._carry_out), ("search", self._search),
            ("tile", self._draw), ("cluster", self._ask_cluster),
        ]  # fmt: skip
        well = True
        try:
            for name, step in steps:
                finding = _take(name, step)
                well = finding.state != "broken"
                yield finding
                if not well:
                    break
        except BaseException:
            _take("clean-up", lambda: self._clean_up(0.0, succeeded=False))
            raise
        seconds = time.monotonic() - begin
        if self._started is not None:
            yield _take("clean-up", lambda: self._clean_up(seconds, succeeded=well))

    def _start(self) -> str:
        self._started = start_end_to_end(self._session)
        return f"The job {self._started.name} has the run {self._started.run}."

    def _carry_out(self) -> str:
        run = self._wait_for_run()
        if run.status is not RunStatus.SUCCEEDED:
            raise UnavailableError(
                f"The run has {run.status}: {run.detail or 'nobody says why'}.",
                remedy="The worker's log says more; platform/operating.md explains what runs say.",
            )
        [output] = run.outputs
        return f"The worker carried it out; its product is {output.collection}/{output.item}."

    def _wait_for_run(self) -> RunDetails:
        deadline = time.monotonic() + _RUN_WITHIN_S
        while True:
            run = self._fetch_run()
            if run.status.has_ended:
                return run
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"After {_RUN_WITHIN_S:.0f} s the run is still {run.status}: "
                    f"{run.detail or 'no worker has taken it'}.",
                    remedy="See that a worker works, and has room ('skerry run list'); on "
                    "Kubernetes look at the pods in the namespace of attempts.",
                )
            time.sleep(_POLL_S)

    def _fetch_run(self) -> RunDetails:
        started = self._know_start()
        return ask_patiently(lambda: fetch_run(self._session, started.run), _PATIENCE_S)

    def _search(self) -> str:
        query = {"collections": [self._know_start().name], "limit": 10}
        found = self._session.request("POST", "stac/search", json=query)["features"]
        if len(found) != 1:
            raise UnavailableError(
                f"The search finds {len(found)} products of the run, and not 1.",
                remedy="Read the log of the api; 'skerry item list' shows what the catalogue has.",
            )
        [self._item] = found
        return f"The search finds it: {self._item['properties'].get('skerry:status', 'there')}."

    def _draw(self) -> str:
        west, south, east, north = self._item["bbox"]
        column, row = _find_tile((west + east) / 2, (south + north) / 2)
        variable = self._item["properties"]["skerry:output"]
        layer = f"{MAPS_PREFIX}/tiles/{self._know_start().name}/{self._item['id']}/{variable}"
        answer = self._session.send("GET", f"{layer}/{_ZOOM}/{column}/{row}.png")
        if not answer.content.startswith(_PNG):
            raise UnavailableError(
                "The tile is no picture.", remedy="Read the log of maps: it reads the bucket."
            )
        return f"Its tile has {len(answer.content)} bytes."

    def _ask_cluster(self) -> str:
        if not self._know_start().has_gateway:
            return "This platform has no Dask gateway."
        headers = {"Authorization": f"jupyterhub {self._session.token}"}
        answer = self._session.send(
            "POST", _CLUSTERS, json={"cluster_options": {}}, headers=headers
        )
        name = answer.json()["name"]
        try:
            self._wait_for_worker(name, headers)
        finally:
            self._session.send("DELETE", f"{_CLUSTERS}{name}", headers=headers)
        return "A Dask cluster had its worker, and has ended."

    def _wait_for_worker(self, name: str, headers: dict[str, str]) -> None:
        deadline = time.monotonic() + _CLUSTER_WITHIN_S
        is_scaled = False
        status = "not started"
        while time.monotonic() < deadline:
            listed = self._session.fetch(ClusterList, "GET", "clusters").clusters
            own = [cluster for cluster in listed if cluster.name == name]
            status = own[0].status if own else status
            if own and own[0].workers > 0 and is_scaled:
                return
            if status == "running" and not is_scaled:
                scale = f"{_CLUSTERS}{name}/scale"
                self._session.send("POST", scale, json={"count": 1}, headers=headers)
                is_scaled = True
            time.sleep(_POLL_S)
        raise UnavailableError(
            f"The Dask cluster has no worker after {_CLUSTER_WITHIN_S:.0f} s; it is {status}.",
            remedy="Read the log of the gateway; on Kubernetes kubectl describe its pods: they may "
            "wait for a node or an image.",
        )

    def _clean_up(self, seconds: float, *, succeeded: bool) -> str:
        started = self._started
        if started is None:
            return "Nothing was made."
        run = self._fetch_run()
        if not run.status.has_ended:
            cancel_run(self._session, started.run)
            self._wait_for_run()
        result = EndToEndResult(succeeded=succeeded, seconds=seconds)
        end_end_to_end(self._session, started.name, result)
        return "Job, run, product and notebook are removed again."

    def _know_start(self) -> EndToEndStart:
        if self._started is None:
            raise ConflictError("The run was not started.", remedy="Start it first.")
        return self._started


def _take(name: str, step: Callable[[], str]) -> Finding:
    """Carry out a step; return what came of it, and how long it took."""
    begin = time.monotonic()
    try:
        detail, state, remedy = step(), "well", ""
    except SkerryError as error:
        detail, state, remedy = error.what, "broken", error.remedy
    seconds = round(time.monotonic() - begin, 1)
    return Finding(check=name, state=state, detail=detail, remedy=remedy, seconds=seconds)


def _find_tile(longitude: float, latitude: float) -> tuple[int, int]:
    """Return column and row of the tile at a place (degrees), in the XYZ scheme."""
    count = 2**_ZOOM
    radians = math.radians(latitude)
    row = (1 - math.asinh(math.tan(radians)) / math.pi) / 2
    return int((longitude + 180) / 360 * count), int(row * count)
