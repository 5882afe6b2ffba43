"""Attempts and their epochs: only the newest attempt of a run can change anything.

Every change below is one conditional statement that names the epoch; a superseded attempt's
statement changes no row, and its caller gets an error.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, literal, select, update

from skerry.core.digests import hash_secret
from skerry.core.errors import ConflictError, ForbiddenError
from skerry.core.time import utc_now
from skerry.production.tables import attempts, runs
from skerry.storage.columns import Moment

_REVOKING_S = 20.0
"""How long a worker that took a token may need to revoke it."""

OutcomeStatus = Literal["published", "failed", "crashed", "cancelled"]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes
    ----------
    epoch
        The attempt's.
    status
        ``crashed`` means that its process vanished, which says nothing about the notebook.
    detail
        One line for people.
    """

    epoch: int
    status: OutcomeStatus
    detail: str | None = None


def claim_run(connection: Connection, run_id: str, generation: int) -> int | None:
    """Begin a new attempt, superseding every earlier one.

    Returns
    -------
    int or None
        The attempt's epoch; None when the run has ended, is gone, or has been retried since.
    """
    now = utc_now()
    claimed = connection.execute(
        update(runs)
        .where(
            runs.c.id == run_id,
            runs.c.generation == generation,
            runs.c.status.in_(["queued", "running"]),
        )
        .values(
            status="running",
            epoch=runs.c.epoch + 1,
            progress_done=0,
            progress_cell=None,
            detail=None,
            started_at=func.coalesce(runs.c.started_at, literal(now, Moment)),
        )
        .returning(runs.c.epoch)
    ).scalar_one_or_none()
    if claimed is None:
        return None
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.status.in_(["claimed", "executing"]))
        .values(status="superseded", ended_at=now, detail=f"Superseded by epoch {claimed}.")
    )
    connection.execute(
        insert(attempts).values(run_id=run_id, epoch=claimed, status="claimed", started_at=now)
    )
    return int(claimed)


def find_epoch(connection: Connection, run_id: str, generation: int) -> int | None:
    """Return the newest attempt of a run that is at work, None if it is not or has none yet."""
    epoch = connection.execute(
        select(runs.c.epoch).where(
            runs.c.id == run_id,
            runs.c.generation == generation,
            runs.c.status == "running",
            runs.c.epoch > 0,
        )
    ).scalar_one_or_none()
    return None if epoch is None else int(epoch)


def list_newest(connection: Connection, run_ids: Collection[str]) -> dict[str, int]:
    """Return the newest attempt of each of these runs that has not ended."""
    query = select(runs.c.id, runs.c.epoch).where(
        runs.c.id.in_(run_ids), runs.c.status == "running"
    )
    return {row.id: row.epoch for row in connection.execute(query)}


def record_token(
    connection: Connection, run_id: str, epoch: int, *, token: str, token_id: str
) -> None:
    """Record the hash of a run token with its attempt; the token itself is stored nowhere.

    The hub gives the id of a revoked token to a later token. So the id is taken from the attempt
    that had it before: otherwise the new token would be revoked for the old one.
    """
    connection.execute(
        update(attempts)
        .where(
            (attempts.c.token_id == token_id)
            | attempts.c.token_id.startswith(f"{token_id}@", autoescape=True)
        )
        .values(token_id=None)
    )
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.epoch == epoch)
        .values(token_hash=hash_secret(token), token_id=token_id)
    )


def list_spent_tokens(connection: Connection) -> list[tuple[str, str]]:
    """Return (run, what is recorded) of every token to revoke, because its run has ended.

    A token that a worker took a moment ago is left out: that worker revokes it. A superseded
    attempt keeps its token until then, so that it can learn that it is superseded.
    """
    query = (
        select(attempts.c.run_id, attempts.c.token_id)
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(
            attempts.c.token_id.is_not(None),
            runs.c.status.in_(["succeeded", "failed", "cancelled"]),
        )
    )
    taken_before = utc_now().timestamp() - _REVOKING_S
    return [
        (row.run_id, row.token_id)
        for row in connection.execute(query)
        if float(row.token_id.partition("@")[2] or 0) < taken_before
    ]


def take_token(connection: Connection, run_id: str, recorded: str) -> str | None:
    """Take a token of `list_spent_tokens` for revoking; return what is recorded now.

    Of several workers only one gets it, the others get None: as soon as it is revoked, the hub may
    give its id to the token of another run. If the worker dies, others get it 20 s later.
    """
    taken = f"{name_token(recorded)}@{utc_now().timestamp():.0f}"
    changed = connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.token_id == recorded)
        .values(token_id=taken)
    )
    return taken if changed.rowcount else None


def name_token(recorded: str) -> str:
    """Return the hub's id of a token as `take_token` or `list_spent_tokens` give it."""
    return recorded.partition("@")[0]


def forget_token(connection: Connection, run_id: str, token_id: str) -> None:
    """Record that a token has been revoked."""
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.token_id == token_id)
        .values(token_id=None)
    )


def check_token(connection: Connection, run_id: str, epoch: int, token: str | None) -> None:
    """Refuse a token that was not created for exactly this attempt.

    Raises
    ------
    ForbiddenError
        If it belongs to another attempt, another run or a person.
    """
    row = connection.execute(
        select(attempts.c.token_hash).where(attempts.c.run_id == run_id, attempts.c.epoch == epoch)
    ).scalar_one_or_none()
    if token is None or row is None or row != hash_secret(token):
        raise ForbiddenError(
            f"The token does not belong to attempt {epoch} of the run {run_id}.",
            remedy="Only a run's own process may report and publish for it.",
        )


def check_current(connection: Connection, run_id: str, epoch: int, token: str | None) -> None:
    """Refuse a token of another attempt, and an attempt that is over.

    Raises
    ------
    ForbiddenError
        If the token belongs to another attempt.
    ConflictError
        If the attempt is superseded or its run has ended.
    """
    check_token(connection, run_id, epoch, token)
    current = connection.execute(
        select(runs.c.id).where(
            runs.c.id == run_id, runs.c.epoch == epoch, runs.c.status == "running"
        )
    ).first()
    if current is None:
        raise refuse_stale(run_id, epoch)


def record_progress(
    connection: Connection, run_id: str, epoch: int, *, done: int, total: int, cell: str | None
) -> None:
    """Record an attempt's progress.

    Raises
    ------
    ConflictError
        If the attempt is superseded, cancelled, or its run has ended.
    """
    changed = connection.execute(
        update(runs)
        .where(
            runs.c.id == run_id,
            runs.c.epoch == epoch,
            runs.c.status == "running",
            runs.c.cancel_requested.is_(False),
        )
        .values(progress_done=done, progress_total=total, progress_cell=cell)
    )
    if changed.rowcount != 1:
        raise refuse_stale(run_id, epoch)
    connection.execute(
        update(attempts)
        .where(
            attempts.c.run_id == run_id,
            attempts.c.epoch == epoch,
            attempts.c.status == "claimed",
        )
        .values(status="executing")
    )


def refuse_stale(run_id: str, epoch: int) -> ConflictError:
    """Return the error for an attempt that may not change its run any more."""
    return ConflictError(
        f"Attempt {epoch} of the run {run_id} is superseded, cancelled or ended.",
        remedy="Stop it; the newest attempt carries the run on.",
    )


def end_attempt(connection: Connection, run_id: str, epoch: int, outcome: Outcome) -> None:
    """Record how an attempt ended, if nothing is recorded yet.

    When the outcome is an earlier epoch's, which this attempt took over without running again,
    the attempt is marked with the epoch it adopted.
    """
    adopted = outcome.epoch if outcome.epoch != epoch else None
    status = "adopted" if adopted is not None else outcome.status
    connection.execute(
        update(attempts)
        .where(
            attempts.c.run_id == run_id,
            attempts.c.epoch == epoch,
            attempts.c.status.in_(["claimed", "executing"]),
        )
        .values(
            status=status,
            adopted_epoch=adopted,
            detail=outcome.detail,
            ended_at=utc_now(),
        )
    )


def end_run(connection: Connection, run_id: str, epoch: int, outcome: Outcome) -> bool:
    """Acknowledge: end a run with the outcome of its newest attempt. Idempotent.

    A run with published outputs succeeded, whatever happened afterwards.

    Returns
    -------
    bool
        False when a newer attempt has taken over or the run had ended already.
    """
    published = connection.execute(
        select(attempts.c.epoch, attempts.c.detail)
        .join(runs, (runs.c.id == attempts.c.run_id) & (runs.c.published_epoch == attempts.c.epoch))
        .where(runs.c.id == run_id)
    ).first()
    if published is not None:
        outcome = Outcome(published.epoch, "published", published.detail)
    status = {"published": "succeeded", "cancelled": "cancelled"}.get(outcome.status, "failed")
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.epoch == epoch, runs.c.status == "running")
        .values(status=status, detail=outcome.detail, ended_at=utc_now())
    )
    if changed.rowcount != 1:
        return False
    end_attempt(connection, run_id, epoch, outcome)
    return True


def give_up_run(connection: Connection, run_id: str, generation: int, detail: str) -> bool:
    """End a run whose workflow gave no result; published outputs still make it a success.

    Returns
    -------
    bool
        False when it has ended already or was retried since.
    """
    failed = connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.generation == generation, runs.c.status == "queued")
        .values(status="failed", detail=detail, ended_at=utc_now())
    )
    if failed.rowcount:
        return True
    epoch = connection.execute(
        select(runs.c.epoch).where(runs.c.id == run_id, runs.c.generation == generation)
    ).scalar_one_or_none()
    return epoch is not None and end_run(
        connection, run_id, epoch, Outcome(epoch, "failed", detail)
    )
