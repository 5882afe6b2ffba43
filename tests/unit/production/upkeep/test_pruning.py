"""Prune: what goes, and above all what stays."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update
from tests.examples import examples
from tests.unit.production.upkeep.world import World

from skerry.core.disk import measure_tree
from skerry.core.time import count_microseconds, utc_now
from skerry.core.worker_settings import UpkeepSettings
from skerry.models.upkeep import Kind, Lost, PruneReport
from skerry.production.tables import runs
from skerry.production.upkeep.families import measure_families
from skerry.production.upkeep.pruning import Prune, Wish, list_removable
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.pid_files import write_pid_file

KEPT_DAYS = 30


@pytest.fixture
def world(engine: Engine, data: DataFolder) -> World:
    return World(engine, data)


def prune(
    data: DataFolder, *, do: bool = True, unnamed: bool = False, idle: bool = False,
    days: int = KEPT_DAYS, count: int | None = None,
) -> PruneReport:  # fmt: skip
    """Prune with the test's settings."""
    kept = UpkeepSettings(run_days=days, runs=count)
    return Prune(data, Wish(do=do, settings=kept, unnamed=unnamed, idle=idle)).carry_out()


def list_names(report: PruneReport, kind: Kind) -> list[str]:
    return [entry.name for entry in report.entries if entry.kind is kind]


def test_a_prune_without_yes_lists_what_the_next_removes(world: World, data: DataFolder) -> None:
    job = world.add_job()
    failed = world.add_run(job, "failed", epochs=2, days=40)
    world.add_run(job, "succeeded", epochs=1, days=1)
    before = world.list_keys()
    planned = prune(data, do=False)
    assert world.list_keys() == before
    assert not planned.done
    done = prune(data)
    assert done.done
    assert done.entries == planned.entries
    assert list_names(done, Kind.RUN) == [f"runs/{failed}/1/", f"runs/{failed}/2/"]
    assert done.size == 600
    assert not any(failed in key for key in world.list_keys())
    assert prune(data).entries == [], "nothing is left to do"


def test_attempts_of_items_stay_whole_whatever_the_items_status(
    world: World, data: DataFolder
) -> None:
    job = world.add_job()
    world.add_run(job, "failed", epochs=1)
    for status in ("published", "preliminary", "superseded", "withdrawn"):
        run = world.add_run(job, "succeeded", epochs=2, days=400)
        world.add_item(f"runs/{run}/2/products/map/", status, run=run)
        gone = list_names(prune(data), Kind.RUN)
        assert gone == [f"runs/{run}/1/"]
        assert f"runs/{run}/2/log.txt" in world.list_keys()


def test_a_job_says_for_itself_how_long_and_of_how_many_runs(
    world: World, data: DataFolder
) -> None:
    brief, few, plain = world.add_job(days=0), world.add_job(count=2), world.add_job()
    ran = {
        job: [world.add_run(job, "failed", epochs=1, days=days) for days in (1, 2, 3)]
        for job in (brief, few, plain)
    }
    gone = list_names(prune(data), Kind.RUN)
    expected = [*ran[brief][1:], ran[few][2]]
    assert sorted(gone) == sorted(f"runs/{run}/1/" for run in expected)


def test_the_newest_run_of_a_job_stays_until_its_job_is_deleted(
    world: World, data: DataFolder, engine: Engine
) -> None:
    job = world.add_job()
    run = world.add_run(job, "failed", epochs=1, days=900)
    assert list_names(prune(data, days=0), Kind.RUN) == []
    with engine.begin() as connection:
        connection.execute(update(runs).values(job_id="deleted"))
    assert list_names(prune(data), Kind.RUN) == [f"runs/{run}/1/"]


def test_environments_of_releases_stay_and_others_go(world: World, data: DataFolder) -> None:
    world.add_release("proposed", "b3-proposed")
    world.add_release("approved", "b3-approved")
    world.add_release("rejected", "b3-rejected")
    running = world.add_release("rejected", "b3-running")
    world.add_run(world.add_job(), "running", epochs=1, release=running)
    names = ["b3-approved", "b3-proposed", "b3-rejected", "b3-running", "b3-unknown"]
    for name in names:
        (data.environments / name / "bin").mkdir(parents=True)
        (data.environments / name / "bin" / "python").write_bytes(b"x" * 9000)
    with hold_lock(data.environments / "b3-unknown.lock"):
        busy = prune(data)
        assert len(busy.left) == 1, "somebody builds or takes up this environment"
    assert (data.environments / "b3-unknown").exists()
    prune(data)
    stay = sorted(path.name for path in data.environments.iterdir() if path.is_dir())
    assert stay == ["b3-approved", "b3-proposed", "b3-running"]
    prune(data, idle=True)
    assert [path.name for path in data.environments.iterdir() if path.is_dir()] == ["b3-running"]


def test_scratch_and_older_logs_go_without_a_database(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    ended, live = data.run / "attempts" / "r-1", data.run / "attempts" / "r-2"
    starting = data.run / "attempts" / "r-3"
    for folder in (ended, live, starting):
        folder.mkdir(parents=True)
    for folder in (ended, live):
        os.utime(folder, (0, 0))
    write_pid_file(data.run / "pids" / "attempt-r-2.json", os.getpid())
    (data.logs / "api.log").touch()
    (data.logs / "api.log.1").write_bytes(b"x" * 50_000)
    report = prune(data)
    assert [entry.name for entry in report.entries] == [str(ended), str(data.logs / "api.log.1")]
    assert report.size >= 50_000
    assert live.exists(), "its process lives"
    assert starting.exists(), "its process may be starting"
    assert (data.logs / "api.log").exists()


def test_bytes_that_no_record_names_are_reported_and_go_only_when_asked(
    world: World, data: DataFolder
) -> None:
    world.add_item("imports/kept/scene.zarr/")
    world.put("imports/kept/scene.zarr/c/0")
    stray = world.put("imports/kept/stray.zarr/c/0")
    world.put("imports/old/scene.zarr/c/0", size=5000)
    world.put("imports/young/scene.zarr/c/0", days=0.5)
    world.put("sandbox/ada/old/x.zarr/0")
    world.put("releases/gone/notebook.ipynb")
    world.put("environments/b3-gone/requirements.lock")
    world.put("runs/gone/1/log.txt")
    lonely = world.put("imports/lonely.txt")
    report = prune(data)
    names = [entry.name for entry in report.unnamed]
    assert sorted(names) == sorted([
        lonely, "imports/old/", "imports/kept/stray.zarr/", "sandbox/ada/", "runs/gone/",
        "releases/gone/", "environments/b3-gone/",
    ])  # fmt: skip
    assert stray in world.list_keys()
    removed = prune(data, unnamed=True)
    assert sorted(list_names(removed, Kind.UNNAMED)) == sorted(names)
    assert removed.unnamed == []
    assert not {stray, lonely} & world.list_keys()
    assert {"imports/kept/scene.zarr/c/0", "imports/young/scene.zarr/c/0"} <= world.list_keys()


def test_the_log_beside_a_product_stays_when_its_run_is_forgotten(
    world: World, data: DataFolder, engine: Engine
) -> None:
    run = world.add_run(world.add_job(), "succeeded", epochs=2, days=40)
    world.add_item(f"runs/{run}/2/products/map/", run=run)
    with engine.begin() as connection:
        connection.execute(delete(runs))
    report = prune(data, unnamed=True)
    assert list_names(report, Kind.UNNAMED) == [f"runs/{run}/1/"]
    assert f"runs/{run}/2/log.txt" in world.list_keys()


def test_records_whose_bytes_are_gone_are_named_and_nothing_is_done(
    world: World, data: DataFolder
) -> None:
    world.put("imports/a/x/0")
    world.add_item("imports/a/x/")
    lost = world.add_item("imports/b/x/", "superseded")
    world.add_item("imports/c/x/", "withdrawn")  # its bytes may be deleted on purpose
    release = world.add_release("approved", "b3")
    shutil.rmtree(data.objects / "releases" / release)
    found = {entry.record: entry.prefix for entry in prune(data).lost}
    assert found == {
        f"item {lost} of lakes, version 1": "imports/b/x/",
        "notebook of the release water": f"releases/{release}/notebook.ipynb",
    }
    assert len(prune(data).lost) == 2


def test_items_whose_bytes_were_written_again_are_named(world: World, data: DataFolder) -> None:
    keys = {name: f"imports/{name}/x/0" for name in ("same", "other", "before", "old")}
    for key in keys.values():
        world.put(key)
    digest = world.objects.digest("imports/same/x/")
    assert digest is not None
    hour_us = 3_600_000_000
    now = count_microseconds(utc_now())
    ages = {"same": hour_us, "other": hour_us, "before": -hour_us, "old": 9 * 24 * hour_us}
    named = {
        name: world.add_item(f"imports/{name}/x/", digest=digest, created=now - age)
        for name, age in ages.items()
    }
    for name, key in keys.items():
        world.objects.write(key, b"x" * 100 if name == "same" else b"others")
    found = prune(data).changed
    assert found == [
        Lost(record=f"item {named['other']} of lakes, version 1", prefix="imports/other/x/")
    ]
    world.objects.write("imports/same/x/added", b"")
    assert len(prune(data).changed) == 2


@pytest.mark.slow
def test_many_prunes_at_once_remove_the_same_as_a_single_prune(
    world: World, data: DataFolder
) -> None:
    job = world.add_job()
    for days in range(60, 90):
        run = world.add_run(job, "failed", epochs=2, days=days)
        world.add_item(f"runs/{run}/1/products/map/", run=run)
    kept = {key for key in world.list_keys() if "/2/" not in key}
    newest = {key for key in world.list_keys() if key not in kept}
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: prune(data, unnamed=True), range(4)))
    assert all(report.skipped is None for report in reports)
    assert world.list_keys() >= kept
    assert len(world.list_keys() - kept) == 3, "the newest run of the job stays"
    assert world.list_keys() - kept <= newest


def test_what_the_platforms_settings_remove(
    world: World, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.add_job()
    world.add_run(job, "failed", epochs=1)
    world.add_run(job, "failed", epochs=1, days=40)
    assert list(list_removable(data)) == []
    monkeypatch.setenv("SKERRY_KEEP_RUNS", "1")
    assert len(list(list_removable(data))) == 1
    sizes = measure_families(data)
    assert sizes["notebooks and logs of runs"] >= 400
    assert sizes["products"] >= measure_tree(data.objects / "releases")


RUNS = st.tuples(
    st.integers(0, 1),  # the job
    st.sampled_from(["succeeded", "failed", "cancelled", "running", "queued"]),
    st.sampled_from([0, 5, 29, 31, 90]),
    st.lists(
        st.sampled_from(["", "published", "superseded", "preliminary", "grant", "expired"]),
        max_size=3,
    ),
)
IMPORTS = st.sampled_from(
    ["item", "item and stray", "valid grant", "expired grant", "expired and item", "deleted",
     "nothing", "young"]
)  # fmt: skip


@dataclass
class Expected:
    """Keys that stay, and keys that go, without and with what no record names."""

    stay: set[str]
    go: set[str]
    unnamed: set[str]


def fill(world: World, ran: list[tuple[int, str, int, list[str]]], brought: list[str]) -> Expected:
    """Write a history, and say by the rules what a prune keeps of it."""
    result = Expected(set(), set(), set())
    jobs = [world.add_job(), world.add_job(days=7)]
    kept_days = [KEPT_DAYS, 7]
    ended = [(job, days) for job, status, days, epochs in ran
             if status not in {"running", "queued"} and epochs]  # fmt: skip
    newest = {job: min(days for own, days in ended if own == job) for job, _ in ended}
    # runs of a job that ended at the same moment would leave open which is the newest
    seen: set[tuple[int, int]] = set()
    for job, status, days, epochs in ran:
        over = status not in {"running", "queued"}
        run = world.add_run(jobs[job], status, epochs=len(epochs), days=days)
        latest = over and bool(epochs) and newest[job] == days and (job, days) not in seen
        seen |= {(job, days)} if over and epochs else set()
        past = over and days > kept_days[job] and not latest
        for epoch, state in enumerate(epochs, 1):
            prefix = f"runs/{run}/{epoch}/"
            if state in {"grant", "expired"}:
                world.add_grant(prefix, valid=state == "grant", purpose="run", run=run, epoch=epoch)
            elif state:
                world.add_item(f"{prefix}products/map/", state, run=run)
            keys = {key for key in world.list_keys() if key.startswith(prefix)}
            (result.go if past and state in {"", "expired"} else result.stay).update(keys)
    for number, state in enumerate(brought):
        prefix = f"imports/{number:04}/"
        key = world.put(f"{prefix}scene/0", days=0.2 if state == "young" else 40)
        if "item" in state:
            world.add_item(f"{prefix}scene/")
        if "grant" in state or "expired" in state:
            world.add_grant(prefix, valid=state == "valid grant")
        if state == "deleted":
            world.note_deletion(prefix)
        if state == "item and stray":
            result.unnamed.add(world.put(f"{prefix}stray/0"))
        place = {"expired grant": result.go, "deleted": result.go, "nothing": result.unnamed}
        place.get(state, result.stay).add(key)
    return result


@pytest.mark.slow
@given(ran=st.lists(RUNS, max_size=8, unique_by=lambda run: (run[0], run[2])),
       brought=st.lists(IMPORTS, max_size=8), unnamed=st.booleans())  # fmt: skip
@settings(
    max_examples=examples(25), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_what_a_record_or_a_valid_grant_names_stays_and_all_else_goes(
    engine: Engine,
    data: DataFolder,
    ran: list[tuple[int, str, int, list[str]]],
    brought: list[str],
    *,
    unnamed: bool,
) -> None:
    shutil.rmtree(data.objects)
    data.objects.mkdir()
    world = World(engine, data)
    kept = world.list_keys()
    expected = fill(world, ran, brought)
    before = world.list_keys()
    planned = prune(data, do=False, unnamed=unnamed)
    assert world.list_keys() == before
    report = prune(data, unnamed=unnamed)
    assert report.left == []
    assert sorted(e.name for e in report.entries) == sorted(e.name for e in planned.entries)
    stay = kept | expected.stay | (set() if unnamed else expected.unnamed)
    assert world.list_keys() == stay
    assert report.lost == []
    again = prune(data, unnamed=unnamed)
    assert again.entries == []
    assert world.list_keys() == stay
