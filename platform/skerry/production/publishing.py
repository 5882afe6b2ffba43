"""Publishing: one transaction that names the epoch makes a run's outputs catalogue items.

Either every output of the attempt becomes an item, or none does. A superseded, cancelled or
ended attempt is refused; the same attempt asking twice gets the same answer.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, field_validator
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, select, update

from skerry.catalog.collections import ensure_collection
from skerry.catalog.registration import insert_item
from skerry.catalog.settling import SAME_PLACES, Homes
from skerry.catalog.tables import items
from skerry.core.errors import ForbiddenError, InvalidInputError
from skerry.core.ids import check_name
from skerry.core.ownership import KEEPER
from skerry.core.time import parse_time, utc_now
from skerry.models.runs import RunDetails
from skerry.models.values import ORDER, Name
from skerry.models.versions import VersionStatus
from skerry.production.epochs import refuse_stale
from skerry.production.jobs import check_products
from skerry.production.run_history import find_run, get_run
from skerry.production.tables import attempts, outputs, runs
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFolder, find_attempt

_LONGEST_REMARK = 500


class StagedOutput(BaseModel):
    """An output as a run has written it below its own folder.

    Attributes
    ----------
    output
        The output's name in the notebook.
    item
        A STAC item whose asset hrefs are store keys.
    digest
        Digest of all its bytes.
    """

    model_config = ORDER

    output: Name
    item: dict[str, Any]
    digest: Name

    @field_validator("item")
    @classmethod
    def _check_properties(cls, item: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(item.get("properties"), dict):
            raise ValueError("a STAC item's properties are an object")  # noqa: TRY004 - pydantic's
        return item


class Publication(BaseModel):
    """Everything that an attempt publishes, and the manifest with its digests."""

    model_config = ORDER

    outputs: list[StagedOutput] = Field(max_length=100)
    manifest: dict[str, Any]

    @property
    def remark(self) -> str | None:
        """The manifest's note on how the notebook ended."""
        remark = self.manifest.get("remark")
        return remark[:_LONGEST_REMARK] if isinstance(remark, str) else None

    def check(self, run_id: str, epoch: int) -> None:
        """Refuse a manifest of another attempt, or one that lists other outputs."""
        outputs = [{"output": output.output, "digest": output.digest} for output in self.outputs]
        expected = {"run": run_id, "epoch": epoch, "outputs": outputs}
        for name, value in expected.items():
            if self.manifest.get(name) != value:
                raise InvalidInputError(
                    f"The manifest's {name} is {self.manifest.get(name)!r}, not {value!r}.",
                    remedy="Publish with the manifest that the attempt wrote last.",
                )


def list_written(
    connection: Connection, run_id: str, epoch: int, staged: list[StagedOutput], objects: Objects
) -> list[tuple[str, str]]:
    """Return prefix and digest of the outputs that an attempt may publish now.

    None of them if it has published them already.

    Raises
    ------
    ConflictError, InvalidInputError
        As of `publish_outputs`.
    """
    run = find_run(connection, run_id, viewer=KEEPER)
    if run["published_epoch"] == epoch:
        return []
    if connection.scalar(select(runs.c.id).where(_may_publish(run["id"], epoch))) is None:
        raise refuse_stale(run["id"], epoch)
    _check_names(staged)
    folder = RunFolder(objects, run["id"], epoch)
    return [(_check_place(folder, output), output.digest) for output in staged]


def publish_outputs(
    connection: Connection,
    run_id: str,
    epoch: int,
    staged: list[StagedOutput],
    *,
    by: str,
    objects: Objects,
    remark: str | None = None,
    homes: Homes = SAME_PLACES,
) -> RunDetails:
    """Publish an attempt's outputs and return the run.

    Parameters
    ----------
    objects
        Where the outputs' bytes are.
    remark
        A note on how the notebook ended; it is stored with attempt and run.
    homes
        Where the bytes stay, from `skerry.catalog.settling`.

    Raises
    ------
    ConflictError
        If the attempt may not publish any more.
    InvalidInputError
        If an output lies outside the attempt's own folder, appears twice, or its bytes are not
        there. Then nothing is published.
    """
    run = find_run(connection, run_id, viewer=KEEPER)
    if run["published_epoch"] == epoch:
        return get_run(connection, run["id"])
    now = utc_now()
    changed = connection.execute(
        update(runs).where(_may_publish(run["id"], epoch)).values(published_epoch=epoch)
    )
    if changed.rowcount != 1:
        raise refuse_stale(run["id"], epoch)
    _check_names(staged)
    if staged:
        _prepare_collection(connection, run)
    for item in staged:
        _publish_output(connection, run, epoch, item, by=by, now=now, objects=objects, homes=homes)
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run["id"], attempts.c.epoch == epoch)
        .values(status="published", ended_at=now, detail=remark)
    )
    return get_run(connection, run["id"])


def _may_publish(run_id: str, epoch: int) -> ColumnElement[bool]:
    """Return the condition under which an attempt may publish: it is the current one."""
    return and_(
        runs.c.id == run_id,
        runs.c.epoch == epoch,
        runs.c.status == "running",
        runs.c.cancel_requested.is_(False),
        runs.c.published_epoch.is_(None),
    )


def _prepare_collection(connection: Connection, run: RowMapping) -> None:
    """Create the run's collection if it is missing, or refuse it if it is not the run's to change.

    A run acts for its owner: what the owner may not change, it does not change either.
    """
    title = f"Products of {run['job_name']}"
    ensure_collection(connection, run["collection"], title, belongs_to=run["owner"])
    try:
        check_products(connection, run["collection"], run["owner"])
    except ForbiddenError as error:  # of what is published, not of the token
        raise InvalidInputError(error.what, remedy=error.remedy) from None


def _check_names(staged: list[StagedOutput]) -> None:
    names = [check_name(item.output, what="output") for item in staged]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(
                f"The output {name!r} is published twice.",
                remedy="Publish each output once in a run.",
            )


def name_item(run: RowMapping, staged: StagedOutput) -> str:
    """Return the item's id, which depends only on data time, partition and output.

    The partition is the run's own; a run without one takes the product's grid code, so that two
    tiles of one instant do not replace each other.
    """
    properties = staged.item.get("properties", {})
    moment = properties.get("datetime") or properties.get("start_datetime")
    if not isinstance(moment, str):
        raise InvalidInputError(
            f"The output {staged.output!r} has no data time.",
            remedy="Give skerry.publish a dataset or product with a time.",
        )
    stamp = parse_time(moment).strftime("%Y%m%dT%H%M%SZ")
    partition = run["partition"] or str(properties.get("grid:code", ""))
    parts = [staged.output, stamp, *([partition] if partition else [])]
    return check_name("-".join(parts), what="item id")


def _publish_output(
    connection: Connection,
    run: RowMapping,
    epoch: int,
    staged: StagedOutput,
    *,
    by: str,
    now: datetime,
    objects: Objects,
    homes: Homes,
) -> None:
    item = _complete_item(run, RunFolder(objects, run["id"], epoch), staged)
    stored = insert_item(
        connection,
        item,
        collection=run["collection"],
        status=VersionStatus.PRELIMINARY
        if run["review"] == "required"
        else VersionStatus.PUBLISHED,
        owner=by,
        objects=objects,
        run=run["id"],
        output=staged.output,
        homes=homes,
    )
    connection.execute(
        insert(outputs).values(
            run_id=run["id"],
            output=staged.output,
            epoch=epoch,
            collection=run["collection"],
            item_id=stored.id,
            digest=staged.digest,
            published_at=now,
        )
    )


def _complete_item(run: RowMapping, folder: RunFolder, staged: StagedOutput) -> dict[str, Any]:
    """Return the item for the catalogue: with its own id, only from the attempt's folder."""
    item = {key: value for key, value in staged.item.items() if key != "collection"}
    properties = dict(item.get("properties", {}))
    _check_place(folder, staged)
    properties["skerry:digest"] = staged.digest
    properties["skerry:run"] = run["id"]
    properties["skerry:release"] = run["release_id"]
    properties["skerry:self_approved"] = bool(run["self_approved"])
    return {**item, "id": name_item(run, staged), "properties": properties}


def _check_place(folder: RunFolder, staged: StagedOutput) -> str:
    """Return the prefix of an output; refuse another place than its own in the folder."""
    prefix = str(staged.item["properties"].get("skerry:prefix", ""))
    place = folder.name_product(staged.output)
    if prefix != place:  # whoever sees the product must not read the attempt's other files
        raise InvalidInputError(
            f"The output {staged.output!r} lies at {prefix!r}, not at {place!r}.",
            remedy="Write it with skerry.publish.",
        )
    return place


def list_catalogued(connection: Connection, run_ids: list[str]) -> dict[str, set[int]]:
    """Return for each run the epochs of the attempts whose products the catalogue still holds."""
    epochs: dict[str, set[int]] = {run_id: set() for run_id in run_ids}
    for run_id in run_ids:
        for prefix in connection.scalars(select(items.c.prefix).where(items.c.run == run_id)):
            run, epoch = find_attempt(prefix)
            epochs.setdefault(run, set()).add(epoch)
    return epochs
