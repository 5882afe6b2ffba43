"""Production over HTTP: the routes, their audiences and their refusals."""

import base64
import io
import os
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served_api import ServedApi
from tests.stac_documents import make_collection
from tests.unit.production.conftest import make_notebook

from skerry.core.digests import digest_bytes
from skerry.core.scopes import OPERATOR, RUN, SCIENTIST
from skerry.core.time import utc_now
from skerry.production.epochs import claim_run, record_token
from skerry.production.tokens import GRACE_S
from skerry.storage.database import database_url, open_database


def ask(client: httpx.Client, method: str, path: str, status: int, **content: Any) -> Any:
    answer = client.request(method, f"production/{path}", **content)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def see(release: dict[str, Any]) -> dict[str, str]:
    """Return what an approver says to have looked at."""
    return {name: release[name] for name in ("notebook_digest", "environment_digest")}


def own_seen(release: dict[str, Any]) -> dict[str, Any]:
    return {"self": True, **see(release)}


def make_job(client: httpx.Client) -> str:
    body = {"name": "water", "notebook": make_notebook()}
    proposed = ask(client, "POST", "releases", 201, json=body)
    ask(client, "POST", f"releases/{proposed['id']}/approve", 200, json=own_seen(proposed))
    ask(client, "POST", "jobs", 201, json={"name": "lakes", "release": "water"})
    return str(proposed["id"])


def claim(api: ServedApi, run: str, token: str = "run-token") -> int:  # noqa: S107
    """Claim an attempt as the worker does, with a run token of the test's book."""
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        epoch = claim_run(connection, run, 0)
        assert epoch is not None
        record_token(connection, run, epoch, token=token, token_id="a1")
    engine.dispose()
    return epoch


def test_from_proposal_to_run(api: ServedApi, alice: httpx.Client) -> None:
    release = make_job(alice)
    assert (api.data.objects / "releases" / release / "notebook.ipynb").is_file()
    answer = ask(alice, "GET", "releases/water", 200)
    assert (answer["status"], answer["self_approved"]) == ("approved", True)
    order = {"parameters": {"minute": 5}, "idempotency_key": "k"}
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json=order)
    assert ask(alice, "POST", "jobs/lakes/runs", 200, json=order)["id"] == run["id"]
    assert run["parameters"] == {"minute": 5}
    assert [item["id"] for item in ask(alice, "GET", "runs?job=lakes", 200)["runs"]] == [run["id"]]
    assert ask(alice, "POST", f"runs/{run['id']}/cancel", 200)["status"] == "cancelled"
    assert ask(alice, "POST", f"runs/{run['id']}/retry", 200)["status"] == "queued"


def test_runs_are_counted_by_the_database_and_shown_in_pages(alice: httpx.Client) -> None:
    make_job(alice)
    ids = [ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"] for _ in range(7)]
    for run in ids[:3]:
        ask(alice, "POST", f"runs/{run}/cancel", 200)
    nothing = {"running": 0, "succeeded": 0, "failed": 0, "passed": 0}
    counted = ask(alice, "GET", "runs/counts", 200)["counts"]
    assert counted == {"queued": 4, "cancelled": 3, **nothing}
    assert set(ask(alice, "GET", "runs/counts?job=other", 200)["counts"].values()) == {0}
    shown: list[str] = []
    before = None
    while True:
        query = {"limit": 3} | ({"before": before} if before else {})
        page = ask(alice, "GET", "runs", 200, params=query)
        if not page["runs"]:
            break
        shown += [run["id"] for run in page["runs"]]
        before = shown[-1]
    assert shown == sorted(ids, reverse=True)


def test_a_nearly_full_disk_starts_nothing(
    alice: httpx.Client, monkeypatch: pytest.MonkeyPatch, api: ServedApi
) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    ask(alice, "POST", f"runs/{run}/cancel", 200)
    monkeypatch.setenv("SKERRY_DISK_FLOOR_MB", "100000000")
    for path in ("jobs/lakes/runs", f"runs/{run}/retry"):
        refused = ask(alice, "POST", path, 507, json={})
        assert refused["title"] == "Disk full"
        assert str(api.data.root) in refused["detail"]
        assert "skerry disk" in refused["remedy"]
    body = {"mode": "write", "purpose": "import"}
    assert alice.post("grants", json=body).json()["status"] == 507
    assert ask(alice, "GET", "runs/counts", 200)["counts"]["cancelled"] == 1
    health = alice.get("platform/health").json()
    assert health["disk_low"]
    assert health["worker"] is False


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"parameters": {"minute": "x"}}, "minute"),
        ({"parameters": {"hour": 1}}, "hour"),
        ({"idempotency_key": "a/b"}, "a/b"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_bad_starts_are_refused_and_leave_nothing(
    alice: httpx.Client, body: dict[str, Any], named: str
) -> None:
    make_job(alice)
    problem = ask(alice, "POST", "jobs/lakes/runs", 422, json=body)
    assert named in problem["detail"]
    assert problem["remedy"]
    assert ask(alice, "GET", "runs", 200)["runs"] == []


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "runs/{run}/log?from=99999999999999999999", {}),
        ("GET", "runs/{run}/log?epoch=99999999999999999999", {}),
        ("GET", "runs/{run}/files/log.txt?epoch=99999999999999999999", {}),
        ("POST", "runs/{run}/attempts/99999999999999999999/progress", {"json": {}}),
        ("POST", "runs/{run}/attempts/1/progress", {"json": {"done": 10**20, "total": 1}}),
    ],
)
def test_numbers_that_nothing_can_hold_are_refused(
    alice: httpx.Client, api: ServedApi, method: str, path: str, content: dict[str, Any]
) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    claim(api, run)
    (api.data.objects / "runs" / run / "1").mkdir(parents=True)
    (api.data.objects / "runs" / run / "1" / "log.txt").write_text("line\n")
    with api.client("run-token" if method == "POST" else "alice-token") as client:
        text = ask(client, method, path.format(run=run), 422, **content)
    assert "99999" in text["detail"] or "10000" in text["detail"]


def test_notebook_without_parameters_cell_is_refused(alice: httpx.Client, api: ServedApi) -> None:
    notebook = make_notebook()
    notebook["cells"][0]["metadata"] = {}
    body = {"name": "water", "notebook": notebook}
    assert "parameters" in ask(alice, "POST", "releases", 422, json=body)["detail"]
    assert not (api.data.objects / "releases").exists()


def test_unapproved_release_makes_no_job(alice: httpx.Client) -> None:
    ask(alice, "POST", "releases", 201, json={"name": "water", "notebook": make_notebook()})
    ask(alice, "POST", "jobs", 409, json={"name": "lakes", "release": "water"})


def test_own_proposal_needs_the_word(alice: httpx.Client, api: ServedApi) -> None:
    body = {"name": "water", "notebook": make_notebook()}
    proposed = ask(alice, "POST", "releases", 201, json=body)
    path = f"releases/{proposed['id']}/approve"
    ask(alice, "POST", path, 409, json=see(proposed))
    with api.client("bob-token") as bob:
        decided = ask(bob, "POST", path, 200, json=see(proposed))
    assert (decided["decided_by"], decided["self_approved"]) == ("bob", False)


def test_only_the_runs_own_token_reports_and_publishes(alice: httpx.Client, api: ServedApi) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    other = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    epoch = claim(api, run)
    text = {"done": 1, "total": 3, "cell": "x"}
    ask(alice, "POST", f"runs/{run}/attempts/{epoch}/progress", 403, json=text)
    with api.client("run-token") as process:
        ask(process, "POST", f"runs/{run}/attempts/{epoch}/progress", 200, json=text)
        ask(process, "POST", f"runs/{other}/attempts/1/progress", 403, json=text)
        assert ask(process, "GET", "runs", 200) == {"runs": []}  # what everybody sees
        ask(process, "GET", f"runs/{run}", 403)
        claim(api, run)
        ask(process, "POST", f"runs/{run}/attempts/{epoch}/progress", 409, json=text)
        body: dict[str, Any] = {
            "outputs": [],
            "manifest": {"run": run, "epoch": epoch, "outputs": []},
        }
        ask(process, "POST", f"runs/{run}/attempts/{epoch}/publish", 409, json=body)
        problem = ask(process, "POST", f"runs/{run}/attempts/{epoch + 1}/publish", 422, json=body)
        assert "manifest's epoch is 1, not 2" in problem["detail"]
        body["manifest"]["epoch"] = epoch + 1
        ask(process, "POST", f"runs/{run}/attempts/{epoch + 1}/publish", 200, json=body)


@pytest.fixture
def two_runs(api: ServedApi, alice: httpx.Client) -> tuple[str, str]:
    """Return two runs at work; the token of the first is ``run-token``, the other's differs."""
    make_job(alice)
    own, other = (ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"] for _ in "ab")
    for run, token in ((own, "run-token"), (other, "other-run-token")):
        claim(api, run, token)
        (folder := api.data.objects / "runs" / run / "1").mkdir(parents=True)
        (folder / "log.txt").write_text(f"the secret of {run}\n")
    api.book.tokens["other-run-token"] = api.book.tokens["run-token"]
    return own, other


def ask_for_grant(client: httpx.Client, run: str, epoch: int = 1) -> httpx.Response:
    body = {"mode": "write", "purpose": "run", "run": run, "epoch": epoch}
    return client.post("grants", json=body)


def test_an_attempt_gets_its_order_and_its_folder_from_the_api(
    api: ServedApi, two_runs: tuple[str, str]
) -> None:
    own, _ = two_runs
    with api.client("run-token") as process:
        order = ask(process, "GET", f"runs/{own}/attempts/1/order", 200)
        granted = ask_for_grant(process, own)
    assert order["notebook"]["cells"][0]["source"] == "minute: int = 0"
    assert order["parameters"] == {"minute": 0}
    assert (order["facts"]["job"], order["facts"]["self_approved"]) == ("lakes", True)
    assert "token" not in str(order)
    assert str(api.data.root) not in str(order)
    assert granted.status_code == 201
    assert granted.json()["prefix"] == f"runs/{own}/1/"
    left = datetime.fromisoformat(granted.json()["expires"]) - utc_now()
    assert left < timedelta(seconds=3600 + GRACE_S), "as long as the run may take"


def test_two_runs_share_nothing(
    api: ServedApi, alice: httpx.Client, two_runs: tuple[str, str]
) -> None:
    own, other = two_runs
    with api.client("run-token") as process:
        for run, epoch in ((other, 1), (own, 2), ("0" * 26, 1)):
            refused = ask_for_grant(process, run, epoch)
            assert refused.status_code == 403, refused.text
            assert "does not belong" in refused.json()["detail"]
            ask(process, "GET", f"runs/{run}/attempts/{epoch}/order", 403)
            body = {"outputs": [], "manifest": {"run": run, "epoch": epoch, "outputs": []}}
            ask(process, "POST", f"runs/{run}/attempts/{epoch}/publish", 403, json=body)
        for path in ("log", "files/log.txt", "files/manifest.json", ""):
            answer = process.get(f"production/runs/{other}/{path}".rstrip("/"))
            assert answer.status_code == 403, path
            assert "the secret of" not in answer.text
        assert process.get(f"files/runs/{other}/1/log.txt").status_code == 404
        assert process.get("clusters").status_code == 403
        assert process.delete("clusters/any").status_code == 403
        with api.client("other-run-token") as neighbour:
            grant = ask_for_grant(neighbour, other).json()
        assert process.delete(f"grants/{grant['id']}").status_code == 403
    assert alice.get(f"production/runs/{other}/log").text == f"the secret of {other}\n"


def test_an_attempt_that_is_over_gets_no_order_and_no_grant(
    api: ServedApi, alice: httpx.Client, two_runs: tuple[str, str]
) -> None:
    own, _ = two_runs
    claim(api, own, "newer-token")
    with api.client("run-token") as process:
        ask(process, "GET", f"runs/{own}/attempts/1/order", 409)
        assert ask_for_grant(process, own).status_code == 409
        ask(process, "GET", f"runs/{own}/attempts/2/order", 403)
    with api.client("alice-token") as person:
        ask(person, "GET", f"runs/{own}/attempts/1/order", 403)


def test_a_notebook_that_was_changed_is_not_ordered(
    api: ServedApi, two_runs: tuple[str, str]
) -> None:
    (stored,) = (api.data.objects / "releases").glob("*/notebook.ipynb")
    stored.write_text("{}")
    with api.client("run-token") as process:
        refused = ask(process, "GET", f"runs/{two_runs[0]}/attempts/1/order", 422)
    assert "was changed" in refused["detail"]


def test_log_and_files_are_served_in_a_sandbox(alice: httpx.Client, api: ServedApi) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    folder = api.data.objects / "runs" / run / str(claim(api, run))
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("one\ntwo\n")
    (folder / "executed.html").write_text("<script>alert(1)</script>")
    (folder / "result.json").write_text("{}")
    log = alice.get(f"production/runs/{run}/log?from=4")
    assert (log.text, log.headers["X-Next"], log.headers["X-Epoch"]) == ("two\n", "8", "1")
    for start in (8, 9, 2**44, 2**62 - 1):
        beyond = alice.get(f"production/runs/{run}/log?from={start}")
        assert (beyond.status_code, beyond.text, beyond.headers["X-Next"]) == (200, "", str(start))
    page = alice.get(f"production/runs/{run}/files/executed.html")
    assert page.headers["content-security-policy"] == "sandbox"
    assert page.headers["x-content-type-options"] == "nosniff"
    for name in ("result.json", "..%2Fresult.json", "manifest.json"):
        assert alice.get(f"production/runs/{run}/files/{name}").status_code == 404


def test_a_release_is_decided_by_id_and_digests(alice: httpx.Client) -> None:
    body = {"name": "water", "notebook": make_notebook()}
    good = ask(alice, "POST", "releases", 201, json=body)
    evil = ask(
        alice, "POST", "releases", 201, json={**body, "notebook": make_notebook("x: int = 2")}
    )
    ask(alice, "POST", "releases/water/approve", 404, json=own_seen(good))
    ask(alice, "POST", "releases/water/reject", 404)
    refused = ask(alice, "POST", f"releases/{evil['id']}/approve", 409, json=own_seen(good))
    assert good["notebook_digest"] in refused["detail"]
    ask(alice, "POST", f"releases/{good['id']}/approve", 422, json={"self": True})
    ask(alice, "POST", f"releases/{good['id']}/approve", 200, json=own_seen(good))


def test_who_decides_sees_notebook_and_wheels(alice: httpx.Client, api: ServedApi) -> None:
    wheel = make_wheel("tides")
    extra = {"filename": "tides-1.0-py3-none-any.whl", "content": base64.b64encode(wheel).decode()}
    body = {"name": "water", "notebook": make_notebook(), "extra_wheels": [extra]}
    proposed = ask(alice, "POST", "releases", 201, json=body)
    folder = f"production/releases/{proposed['id']}"
    notebook = alice.get(f"{folder}/notebook")
    assert notebook.headers["content-security-policy"] == "sandbox"
    assert digest_bytes(notebook.content) == proposed["notebook_digest"]
    assert alice.get(f"{folder}/wheels/{extra['filename']}").content == wheel
    for other in ("requirements.lock", "..%2F..%2Fx", "tides"):
        assert alice.get(f"{folder}/wheels/{other}").status_code == 404


@pytest.mark.parametrize(
    ("filename", "members"),
    [
        ("numpy-1.0-py3-none-any.whl", ("numpy/__init__.py",)),
        ("tides-1.0-py3-none-any.whl", ("numpy/__init__.py",)),
        ("tides-1.0-py3-none-any.whl", ("tides.pth",)),
        ("tides-1.0-py3-none-any.whl", ("sitecustomize.py",)),
        ("tides-1.0-py3-none-any.whl", ("numpy-9.9.dist-info/METADATA",)),
    ],
)
def test_a_wheel_changes_nothing_of_the_environment(
    alice: httpx.Client, filename: str, members: tuple[str, ...]
) -> None:
    content = base64.b64encode(make_wheel(filename.partition("-")[0], *members)).decode()
    body = {
        "name": "water", "notebook": make_notebook(),
        "extra_wheels": [{"filename": filename, "content": content}],
    }  # fmt: skip
    refused = ask(alice, "POST", "releases", 422, json=body)
    assert "numpy" in refused["detail"] or "not its own" in refused["detail"]


def make_wheel(name: str, *members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member in (f"{name}-1.0.dist-info/WHEEL", *members):
            archive.writestr(member, "")
    return packed.getvalue()


@pytest.mark.parametrize("way", ["file", "folder", "pipe"])
def test_run_files_that_lead_elsewhere_are_not_served(
    alice: httpx.Client, api: ServedApi, tmp_path: Path, way: str
) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    epoch = claim(api, run)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "log.txt").write_text("the password")
    folder = api.data.objects / "runs" / run / str(epoch)
    folder.parent.mkdir(parents=True)
    if way == "folder":
        folder.symlink_to(outside)
    else:
        folder.mkdir()
        if way == "file":
            (folder / "log.txt").symlink_to(outside / "log.txt")
        else:
            os.mkfifo(folder / "log.txt")
    log = alice.get(f"production/runs/{run}/log")
    assert (log.status_code, log.text) == (200, "")
    assert alice.get(f"production/runs/{run}/files/log.txt").status_code == 404


def test_an_attempt_that_never_was_has_no_log(alice: httpx.Client, api: ServedApi) -> None:
    make_job(alice)
    run = ask(alice, "POST", "jobs/lakes/runs", 201, json={})["id"]
    claim(api, run)
    assert "no attempt 7" in ask(alice, "GET", f"runs/{run}/log?epoch=7", 404)["detail"]


def test_runs_of_an_unknown_job_are_refused_by_name(alice: httpx.Client) -> None:
    make_job(alice)
    assert ask(alice, "GET", "runs?job=lakes", 200) == {"runs": []}
    assert "'nope'" in ask(alice, "GET", "runs?job=nope", 404)["detail"]
    ask(alice, "POST", "jobs/lakes/runs", 201, json={})
    run = ask(alice, "GET", "runs?job=lakes", 200)["runs"][0]["id"]
    ask(alice, "POST", f"runs/{run}/cancel", 200)
    ask(alice, "DELETE", "jobs/lakes", 204)
    assert len(ask(alice, "GET", "runs?job=lakes", 200)["runs"]) == 1  # history outlives its job


@pytest.mark.parametrize("cell", ["!pip install x", "%pip install x", "!uv pip install x"])
def test_a_notebook_that_installs_is_refused_with_the_remedy(
    alice: httpx.Client, cell: str
) -> None:
    notebook = make_notebook()
    notebook["cells"].append({**notebook["cells"][0], "metadata": {}, "source": f"x = 1\n{cell}"})
    refused = ask(alice, "POST", "releases", 422, json={"name": "water", "notebook": notebook})
    assert "Cell 2, line 2" in refused["detail"]
    assert "--wheel" in str(refused)


def test_a_parameters_cell_without_its_imports_is_refused(alice: httpx.Client) -> None:
    cell = "day: date = date(2026, 5, 1)"
    body = {"name": "water", "notebook": make_notebook(cell)}
    refused = ask(alice, "POST", "releases", 422, json=body)
    assert "Cell 1, line 1: 'date' is not imported" in refused["detail"]
    assert "from datetime import date" in str(refused)
    ask(alice, "POST", "releases", 201, json={**body, "notebook": make_notebook(cell, "date")})


def test_a_pattern_holds_nobody_up(alice: httpx.Client) -> None:
    notebook = make_notebook("name: Annotated[str, Field(pattern='(a+)+$')] = 'a'")
    imports = {"source": "from typing import Annotated\nfrom pydantic import Field"}
    notebook["cells"].insert(0, {**notebook["cells"][0], "metadata": {}, **imports})
    proposed = ask(alice, "POST", "releases", 201, json={"name": "water", "notebook": notebook})
    ask(alice, "POST", f"releases/{proposed['id']}/approve", 200, json=own_seen(proposed))
    job = {"name": "lakes", "release": proposed["id"], "parameters": {"name": "a" * 5000 + "!"}}
    assert "does not match" in ask(alice, "POST", "jobs", 422, json=job)["detail"]
    notebook["cells"][1]["source"] = "name: Annotated[str, Field(pattern='(?=a)b')]"
    refused = ask(alice, "POST", "releases", 422, json={"name": "water", "notebook": notebook})
    assert "'(?=a)b'" in refused["detail"]


def test_two_runs_share_neither_sight_nor_grant_nor_order(
    api: ServedApi, alice: httpx.Client
) -> None:
    release = make_job(alice)
    api.book.groups = {"project-main": frozenset({"projects"})}
    attempts = {}
    for name in ("ann", "bob"):
        api.book.tokens[f"{name}-token"] = (name, SCIENTIST | OPERATOR)
        api.book.tokens[f"run-of-{name}"] = ("project-main", RUN)
        with api.client(f"{name}-token") as client:
            document = {**make_collection(f"secret-{name}"), "skerry:owner": f"person:{name}"}
            put = client.put(f"stac/collections/secret-{name}", json=document)
            assert put.status_code == 200, put.text
            ask(client, "POST", "jobs", 201, json={"name": f"job-{name}", "release": release})
            run = ask(client, "POST", f"jobs/job-{name}/runs", 201, json={})["id"]
        attempts[name] = (run, claim(api, run, f"run-of-{name}"))
    for name, other in (("ann", "bob"), ("bob", "ann")):
        run, epoch = attempts[name]
        with api.client(f"run-of-{name}") as own:
            assert own.get(f"stac/collections/secret-{name}").status_code == 200
            hidden = own.get(f"stac/collections/secret-{other}")
            assert hidden.status_code == 404
            assert f"secret-{other}" not in own.get("stac/collections").text
            order = {"mode": "write", "purpose": "run", "run": run, "epoch": epoch}
            grant = own.post("grants", json=order)
            assert grant.status_code == 201, grant.text
        with api.client(f"run-of-{other}") as foreign:
            assert foreign.post("grants", json=order).status_code == 403
            assert foreign.post(f"grants/{grant.json()['id']}/access").status_code == 403
            assert foreign.delete(f"grants/{grant.json()['id']}").status_code == 403
            ask(foreign, "GET", f"runs/{run}/attempts/{epoch}/order", 403)


def test_a_job_fills_no_collection_of_somebody_else(api: ServedApi, alice: httpx.Client) -> None:
    release = make_job(alice)
    for name in ("ann", "bob"):
        api.book.tokens[f"{name}-token"] = (name, SCIENTIST | OPERATOR)
    document = {**make_collection("secret-ann"), "skerry:owner": "person:ann"}
    order = {"name": "fill", "release": release, "collection": "secret-ann"}
    with api.client("ann-token") as ann, api.client("bob-token") as bob:
        assert ann.put("stac/collections/secret-ann", json=document).status_code == 200
        refusal = ask(bob, "POST", "jobs", 403, json=order)
        assert "secret-ann" in refusal["detail"]
        ask(ann, "POST", "jobs", 201, json=order)
