"""Runs, epochs and publishing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from tests.unit.production.test_ticks import open_rounds
from tests.viewers import MEMBER

from skerry.catalog.items import find_item
from skerry.core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from skerry.core.ownership import KEEPER
from skerry.core.time import utc_now
from skerry.models.jobs import JobOrder
from skerry.models.runs import Progress
from skerry.production import epochs
from skerry.production.epochs import (
    Outcome,
    check_token,
    claim_run,
    end_attempt,
    end_run,
    forget_token,
    give_up_run,
    list_spent_tokens,
    name_token,
    record_progress,
    record_token,
    take_token,
)
from skerry.production.jobs import create_job, list_jobs
from skerry.production.publishing import StagedOutput, publish_outputs
from skerry.production.run_history import get_run, list_runs
from skerry.production.runs import cancel_run, retry_run, start_run
from skerry.production.tables import jobs
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

DIGEST = "1e20" + "ab" * 32


def start(engine: Engine, key: str = "manual/k", **parameters: Any) -> str:
    with engine.begin() as connection:
        run, _ = start_run(connection, "lakes", occurrence=key, parameters=parameters, by="ada")
    return str(run.id)


def claim(engine: Engine, run: str, generation: int = 0) -> int | None:
    with engine.begin() as connection:
        return claim_run(connection, run, generation)


def show(engine: Engine, run: str) -> dict[str, Any]:
    with engine.begin() as connection:
        return get_run(connection, run)


def staged(
    run: str, epoch: int, output: str = "turbidity", digest: str = DIGEST, **properties: Any
) -> StagedOutput:
    prefix = f"runs/{run}/{epoch}/products/{output}/"
    ring = [[13.0, 54.0], [14.0, 54.0], [14.0, 55.0], [13.0, 55.0], [13.0, 54.0]]
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": output,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [13.0, 54.0, 14.0, 55.0],
        "properties": {
            "datetime": "2026-05-01T10:30:00Z",
            "skerry:digest": digest,
            "skerry:prefix": prefix,
            **properties,
        },
        "assets": {"product": {"href": f"{prefix}product.zarr", "roles": ["data"]}},
        "links": [],
    }
    return StagedOutput(output=output, item=item, digest=digest)


@pytest.fixture
def objects(data: DataFolder) -> ObjectFolder:
    return ObjectFolder(data.objects)


def publish(
    engine: Engine,
    objects: ObjectFolder,
    run: str,
    epoch: int,
    *outputs: StagedOutput,
    written: bool = True,
) -> dict[str, Any]:
    for output in outputs if written else ():
        objects.create_folder(f"{output.item['assets']['product']['href']}/")
    with engine.begin() as connection:
        return publish_outputs(
            connection, run, epoch, list(outputs), by="project-main", objects=objects
        )


def statuses(engine: Engine, run: str) -> list[tuple[int, str, int | None]]:
    attempts = show(engine, run).attempts
    return [(attempt.epoch, attempt.status, attempt.adopted_epoch) for attempt in attempts]


def test_a_key_makes_one_run(engine: Engine, job: str) -> None:
    run = start(engine, minute=3)
    assert start(engine, minute=3) == run
    with pytest.raises(ConflictError, match="other parameters"):
        start(engine, minute=4)
    assert start(engine, "manual/other", minute=4) != run
    with engine.begin() as connection:
        assert len(list_runs(connection, viewer=KEEPER, job=job)) == 2


def test_a_key_belongs_to_one_data_day(engine: Engine, job: str) -> None:
    def start_for(day: date | None) -> dict[str, Any]:
        with engine.begin() as connection:
            return start_run(
                connection, job, occurrence="manual/k", parameters={}, by="ada", data_day=day
            )[0]

    first = start_for(date(2026, 6, 20))
    assert start_for(date(2026, 6, 20)) == start_for(None) == first
    with pytest.raises(ConflictError, match="data day 2026-06-20, not 2026-06-21"):
        start_for(date(2026, 6, 21))


def test_a_partition_makes_another_run(engine: Engine, job: str) -> None:
    with engine.begin() as connection:
        result = {
            start_run(
                connection, job, occurrence="manual/k", parameters={}, by="ada", partition=part
            )[0].id
            for part in ("T33UVV", "T33UWV", "T33UVV")
        }
    assert len(result) == 2


def test_values_are_checked_before_a_run_exists(engine: Engine, job: str) -> None:
    with pytest.raises(InvalidInputError, match="'minute'"):
        start(engine, minute="x")
    with engine.begin() as connection:
        assert list_runs(connection, viewer=KEEPER) == []


def test_runs_are_found_by_the_beginning_of_their_id(engine: Engine, job: str) -> None:
    run = start(engine)
    assert show(engine, run[:22]).id == run
    for bad in ("%", "", "zzz"):
        with pytest.raises(NotFoundError):
            show(engine, bad)


def test_every_claim_supersedes_the_one_before(engine: Engine, job: str) -> None:
    run = start(engine)
    assert [claim(engine, run), claim(engine, run)] == [1, 2]
    assert statuses(engine, run) == [(1, "superseded", None), (2, "claimed", None)]
    with engine.begin() as connection:
        with pytest.raises(ConflictError, match="superseded"):
            record_progress(connection, run, 1, done=1, total=2, cell=None)
        record_progress(connection, run, 2, done=1, total=2, cell="x = 1")
    assert show(engine, run).progress == Progress(done=1, total=2, cell="x = 1")
    assert statuses(engine, run)[1] == (2, "executing", None)


def test_an_ended_or_retried_run_cannot_be_claimed_by_an_old_workflow(
    engine: Engine, job: str
) -> None:
    run = start(engine)
    assert claim(engine, run) == 1
    with engine.begin() as connection:
        assert end_run(connection, run, 1, Outcome(1, "failed", "Cell 1 raised"))
    assert claim(engine, run) is None
    with engine.begin() as connection:
        assert retry_run(connection, run).status == "queued"
    assert claim(engine, run) is None
    assert claim(engine, run, generation=1) == 2
    assert statuses(engine, run)[0] == (1, "failed", None)


def test_publishing_makes_items_and_ends_in_success(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    run = start(engine)
    claim(engine, run)
    result = publish(engine, objects, run, 1, staged(run, 1), staged(run, 1, "ndci"))
    assert [entry.item for entry in result.outputs] == [
        "ndci-20260501T103000Z", "turbidity-20260501T103000Z",
    ]  # fmt: skip
    with engine.begin() as connection:
        item = find_item(connection, "lakes", "turbidity-20260501T103000Z", viewer=MEMBER)
        assert item is not None
        assert (item.run, item.output, item.status, item.public) == (
            run, "turbidity", "published", False,
        )  # fmt: skip
        assert item.document["properties"]["skerry:self_approved"] is True
        assert end_run(connection, run, 1, Outcome(1, "published"))
    assert show(engine, run).status == "succeeded"
    assert statuses(engine, run) == [(1, "published", None)]


def test_publishing_twice_gives_the_same_answer(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    run = start(engine)
    claim(engine, run)
    first = publish(engine, objects, run, 1, staged(run, 1))
    assert publish(engine, objects, run, 1, staged(run, 1)) == first


def test_a_superseded_attempt_publishes_nothing(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    run = start(engine)
    claim(engine, run)
    claim(engine, run)
    with pytest.raises(ConflictError, match="superseded"):
        publish(engine, objects, run, 1, staged(run, 1))
    assert show(engine, run).outputs == []
    publish(engine, objects, run, 2, staged(run, 2))


def test_a_later_epoch_adopts_what_is_published(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    run = start(engine)
    claim(engine, run)
    publish(engine, objects, run, 1, staged(run, 1))
    assert claim(engine, run) == 2
    with pytest.raises(ConflictError):
        publish(engine, objects, run, 2, staged(run, 2))
    with engine.begin() as connection:
        assert end_run(connection, run, 2, Outcome(2, "crashed"))
        assert not end_run(connection, run, 2, Outcome(2, "crashed"))
    assert show(engine, run).status == "succeeded"
    assert statuses(engine, run) == [(1, "published", None), (2, "adopted", 1)]


def test_all_outputs_are_published_or_none(engine: Engine, objects: ObjectFolder, job: str) -> None:
    run = start(engine)
    claim(engine, run)
    foreign = staged("another", 1, "ndci")
    with pytest.raises(InvalidInputError, match="not at"):
        publish(engine, objects, run, 1, staged(run, 1), foreign)
    with pytest.raises(InvalidInputError, match="twice"):
        publish(engine, objects, run, 1, staged(run, 1), staged(run, 1))
    assert show(engine, run).outputs == []
    publish(engine, objects, run, 1, staged(run, 1))


@pytest.mark.parametrize("place", ["", "products/", "outputs/", "products/turbidity/part/"])
def test_a_product_is_not_published_with_the_attempts_other_files(
    engine: Engine, objects: ObjectFolder, job: str, place: str
) -> None:
    run = start(engine)
    claim(engine, run)
    prefix = f"runs/{run}/1/{place}"
    output = staged(run, 1, **{"skerry:prefix": prefix})
    output.item["assets"] = {"log": {"href": f"{prefix}log.txt"}}
    objects.write(f"{prefix}log.txt", b"what only those of the production see")
    with pytest.raises(InvalidInputError, match=f"not at 'runs/{run}/1/products/turbidity/'"):
        publish(engine, objects, run, 1, output, written=False)
    assert show(engine, run).outputs == []


def test_a_newer_run_supersedes_and_another_tile_does_not(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    first, second, third = (start(engine, f"manual/{n}") for n in range(3))
    for run in (first, second, third):
        claim(engine, run)
    publish(engine, objects, first, 1, staged(first, 1))
    publish(engine, objects, second, 1, staged(second, 1, digest="1e20" + "cd" * 32))
    publish(engine, objects, third, 1, staged(third, 1, **{"grid:code": "MGRS-33UVV"}))
    with engine.begin() as connection:
        item = find_item(connection, "lakes", "turbidity-20260501T103000Z", viewer=MEMBER)
        assert item is not None
        assert (item.run, item.version) == (second, 2)
        tile = find_item(
            connection, "lakes", "turbidity-20260501T103000Z-MGRS-33UVV", viewer=MEMBER
        )
        assert tile is not None


def test_review_makes_preliminary_products(
    engine: Engine, objects: ObjectFolder, release: str
) -> None:
    with engine.begin() as connection:
        create_job(connection, JobOrder(name="lakes", release=release), by="ada")
    run = start(engine)
    claim(engine, run)
    publish(engine, objects, run, 1, staged(run, 1))
    with engine.begin() as connection:
        item = find_item(connection, "lakes", "turbidity-20260501T103000Z", viewer=MEMBER)
    assert item is not None
    assert item.status == "preliminary"


def test_cancelling(engine: Engine, objects: ObjectFolder, job: str) -> None:
    queued, running = start(engine, "manual/a"), start(engine, "manual/b")
    claim(engine, running)
    with engine.begin() as connection:
        assert cancel_run(connection, queued).status == "cancelled"
        assert cancel_run(connection, running).status == "running"
        with pytest.raises(ConflictError, match="ended already: cancelled"):
            cancel_run(connection, queued)
        with pytest.raises(ConflictError):
            record_progress(connection, running, 1, done=0, total=1, cell=None)
    assert claim(engine, queued) is None
    with pytest.raises(ConflictError):
        publish(engine, objects, running, 1, staged(running, 1))
    with engine.begin() as connection:
        end_run(connection, running, 1, Outcome(1, "cancelled", "Cancelled."))
    assert show(engine, running).status == "cancelled"


def test_an_attempt_that_crashed_is_told_apart_from_one_that_was_superseded(
    engine: Engine, job: str
) -> None:
    run = start(engine)
    claim(engine, run)
    with engine.begin() as connection:
        end_attempt(connection, run, 1, Outcome(1, "crashed", "signal 9"))
    claim(engine, run)
    assert statuses(engine, run) == [(1, "crashed", None), (2, "claimed", None)]


def test_tokens_belong_to_one_attempt_and_end_with_the_run(engine: Engine, job: str) -> None:
    run, other = start(engine, "manual/a"), start(engine, "manual/b")
    claim(engine, run)
    claim(engine, other)
    with engine.begin() as connection:
        record_token(connection, run, 1, token="secret-1", token_id="a1")
        record_token(connection, other, 1, token="secret-2", token_id="a2")
        check_token(connection, run, 1, "secret-1")
        for bad in ("secret-2", None, ""):
            with pytest.raises(ForbiddenError):
                check_token(connection, run, 1, bad)
        with pytest.raises(ForbiddenError):
            check_token(connection, run, 2, "secret-1")
        assert list_spent_tokens(connection) == []
        end_run(connection, run, 1, Outcome(1, "failed", "x"))
        assert list_spent_tokens(connection) == [(run, "a1")]
        forget_token(connection, run, "a1")
        assert list_spent_tokens(connection) == []


def test_an_id_that_the_hub_gives_again_is_not_revoked(engine: Engine, job: str) -> None:
    run, other = start(engine, "manual/a"), start(engine, "manual/b")
    claim(engine, run)
    claim(engine, other)
    with engine.begin() as connection:
        record_token(connection, run, 1, token="secret-1", token_id="a1")
        end_run(connection, run, 1, Outcome(1, "failed", "x"))
        assert list_spent_tokens(connection) == [(run, "a1")]
        # the worker died between revoking it and recording that
        record_token(connection, other, 1, token="secret-2", token_id="a1")
        assert list_spent_tokens(connection) == []
        end_run(connection, other, 1, Outcome(1, "failed", "x"))
        assert list_spent_tokens(connection) == [(other, "a1")]


def test_one_of_several_workers_takes_a_spent_token(
    engine: Engine, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = start(engine, "manual/a"), start(engine, "manual/b")
    claim(engine, run)
    claim(engine, other)
    with engine.begin() as connection:
        record_token(connection, run, 1, token="secret-1", token_id="a1")
        end_run(connection, run, 1, Outcome(1, "failed", "x"))
    with ThreadPoolExecutor(6) as pool:

        def take(_worker: int) -> str | None:
            with engine.begin() as connection:
                return take_token(connection, run, "a1")

        (taken,) = [taken for taken in pool.map(take, range(6)) if taken]
    assert name_token(taken) == "a1"
    with engine.begin() as connection:
        assert list_spent_tokens(connection) == [], "it is being revoked"
        monkeypatch.setattr(epochs, "_REVOKING_S", -60.0)
        assert list_spent_tokens(connection) == [(run, taken)], "its worker has died"
        # the hub has given the id to the token of another run, which is at work
        record_token(connection, other, 1, token="secret-2", token_id="a1")
        assert take_token(connection, run, taken) is None
        assert list_spent_tokens(connection) == []


def test_a_clock_that_cannot_be_read_any_more_holds_up_no_other(
    engine: Engine, release: str
) -> None:
    for name in ("broken", "lakes"):
        clock = {"kind": "clock", "cron": "0 5 * * *", "timezone": "Europe/Helsinki"}
        order = JobOrder.model_validate({"name": name, "release": release, "trigger": clock})
        with engine.begin() as connection:
            create_job(connection, order, by="ada")
    with engine.begin() as connection:
        connection.execute(update(jobs).where(jobs.c.name == "broken").values(timezone="Gone/Zone"))
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=2))
    with engine.begin() as connection:
        assert {run.job for run in list_runs(connection, viewer=KEEPER)} == {"lakes"}
        shown = {job.name: job.next_tick for job in list_jobs(connection, viewer=KEEPER)}
    assert shown["broken"] is None
    assert shown["lakes"]


class TestGiveUp:
    """The workflow engine may end a workflow that has acknowledged nothing."""

    def give_up(self, engine: Engine, run: str, generation: int = 0) -> bool:
        with engine.begin() as connection:
            return give_up_run(connection, run, generation, "why")

    def test_a_waiting_run_fails(self, engine: Engine, job: str) -> None:
        run = start(engine)
        assert self.give_up(engine, run)
        assert (show(engine, run).status, show(engine, run).detail) == ("failed", "why")
        assert not self.give_up(engine, run)

    def test_a_running_one_fails_with_its_attempt(self, engine: Engine, job: str) -> None:
        run = start(engine)
        claim(engine, run)
        assert self.give_up(engine, run)
        assert show(engine, run).status == "failed"
        assert statuses(engine, run) == [(1, "failed", None)]

    def test_what_is_published_is_a_success(
        self, engine: Engine, objects: ObjectFolder, job: str
    ) -> None:
        run = start(engine)
        claim(engine, run)
        publish(engine, objects, run, 1, staged(run, 1))
        assert self.give_up(engine, run)
        assert show(engine, run).status == "succeeded"

    def test_a_retried_run_goes_on(self, engine: Engine, job: str) -> None:
        run = start(engine)
        assert self.give_up(engine, run)
        with engine.begin() as connection:
            retry_run(connection, run)
        assert not self.give_up(engine, run)
        assert show(engine, run).status == "queued"
        assert self.give_up(engine, run, generation=1)


@pytest.mark.parametrize("item", [{}, {"properties": None}, {"properties": ["datetime"]}])
def test_an_output_without_properties_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="properties are an object"):
        StagedOutput(output="field", item=item, digest="1e20")


def test_outputs_whose_bytes_are_gone_are_not_published_and_the_next_attempt_is(
    engine: Engine, objects: ObjectFolder, job: str
) -> None:
    """As after a machine that lost power, or a folder that was removed by hand."""
    run = start(engine)
    claim(engine, run)
    outputs = [staged(run, 1), staged(run, 1, "chlorophyll")]
    objects.create_folder(f"runs/{run}/1/products/turbidity/product.zarr/")
    with pytest.raises(InvalidInputError, match=f"not at 'runs/{run}/1/products/chlorophyll/"):
        publish(engine, objects, run, 1, *outputs, written=False)
    assert statuses(engine, run) == [(1, "claimed", None)]
    assert show(engine, run).outputs == []
    with engine.begin() as connection:
        for output in ("turbidity", "chlorophyll"):
            name = f"{output}-20260501T103000Z"
            assert find_item(connection, "lakes", name, viewer=MEMBER) is None
    claim(engine, run)
    again = publish(engine, objects, run, 2, staged(run, 2), staged(run, 2, "chlorophyll"))
    assert [item.output for item in again.outputs] == ["chlorophyll", "turbidity"]
