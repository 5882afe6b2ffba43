"""One attempt on the worker's side: have it started, wait, and say how it ended.

Where attempts run, and as what, is the executor's affair.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Engine, RowMapping

from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.ownership import KEEPER
from skerry.core.request_ids import REQUEST_VARIABLE
from skerry.core.settings import GATEWAY_PREFIX
from skerry.models.releases import Release
from skerry.production.cancellations import Cancellations
from skerry.production.epochs import Outcome, list_newest, record_token
from skerry.production.executors.protocol import (
    AttemptName,
    AttemptState,
    Executor,
    Limits,
    Order,
    Phase,
)
from skerry.production.orders import AttemptResult
from skerry.production.releases import get_approved
from skerry.production.run_history import find_run
from skerry.production.tokens import GRACE_S, TokenMinter
from skerry.production.waiting import Waiting
from skerry.storage.absence import persist
from skerry.storage.database import reading
from skerry.storage.objects import Objects
from skerry.storage.run_folder import list_run_folders

_POLL_S = 0.2
PROGRAM = "skerry.production.attempt"
"""The module that carries out an attempt, in a process of its own."""


class StoppingError(Exception):
    """The worker is ending; it must record nothing about the attempt."""


class CancelledError(Exception):
    """The run was cancelled before its attempt had started."""


@dataclass(frozen=True)
class Attempts:
    """The attempts that this worker carries out.

    Attributes
    ----------
    engine
        Skerry's database.
    executor
        Where attempts run.
    url
        The address at which run processes reach the platform.
    minter
        Where run tokens come from.
    stopping
        Is set when the worker is ending.
    memory
        Bytes of memory that an attempt may take; None for no limit.
    """

    engine: Engine
    executor: Executor
    url: str
    minter: TokenMinter
    stopping: Callable[[], bool]
    memory: int | None = None

    @cached_property
    def _cancellations(self) -> Cancellations:
        return Cancellations(self.engine)

    def are_there(self, run_id: str, epoch: int) -> bool:
        """Return whether an attempt is at work, or has ended and can still say how."""
        return self.executor.poll(AttemptName(run_id, epoch)).phase is not Phase.VANISHED

    def carry_out(self, run_id: str, epoch: int) -> Outcome:
        """Carry out an attempt; return how it ended. Published outputs are adopted instead.

        An attempt that another worker has started is carried on.

        Raises
        ------
        StoppingError
            If the worker has to end meanwhile.
        UnavailableError
            If the hub gives no token now, or there is no room for the attempt.
        """
        name = AttemptName(run_id, epoch)
        run, release = self._read(run_id)
        if not self.are_there(run_id, epoch):
            if run["published_epoch"] is not None:
                return Outcome(epoch=run["published_epoch"], status="published")
            if run["cancel_requested"]:
                return Outcome(epoch=epoch, status="cancelled", detail="Cancelled.")
        try:
            limits = Limits(time_s=run["timeout_s"], memory=self.memory)
            self.executor.start_or_attach(name, self._order(run, epoch, release), limits)
        except UnavailableError:
            raise
        except CancelledError:
            return Outcome(epoch=epoch, status="cancelled", detail="Cancelled.")
        except SkerryError as error:
            return Outcome(epoch=epoch, status="failed", detail=str(error))
        try:
            state = self._watch(name, Waiting(self.engine, name, told=run["detail"]))
        except StoppingError:
            raise
        except BaseException:  # no attempt goes on without a watch, whatever happened
            self.executor.end(name, "Its worker failed.")
            raise
        return self._judge(name, state)

    def forget(self, run_id: str, epoch: int) -> None:
        """Forget all attempts of a run up to an epoch; they have no more to say."""
        for number in range(1, epoch + 1):
            name = AttemptName(run_id, number)
            self.executor.end(name, "A newer attempt carries the run on.")
            self.executor.forget(name)

    def forget_old(self) -> None:
        """Forget ended attempts that no run waits for: another worker carried their runs on."""
        names = self.executor.list_attempts()
        with reading(self.engine) as connection:
            newest = list_newest(connection, {name.run for name in names})
        for name in names:
            if newest.get(name.run) != name.epoch and self.executor.poll(name).is_over:
                self.executor.forget(name)

    def _read(self, run_id: str) -> tuple[RowMapping, Release]:
        def transact() -> tuple[RowMapping, Release]:
            with reading(self.engine) as connection:
                run = find_run(connection, run_id, viewer=KEEPER)
                return run, get_approved(connection, run["release_id"])

        return persist(transact)

    def _order(self, run: RowMapping, epoch: int, release: Release) -> Order:
        return Order(
            arguments=("-m", PROGRAM),
            environment=release.environment,
            variables={
                "SKERRY_URL": self.url,
                "SKERRY_RUN": run["id"],
                "SKERRY_EPOCH": str(epoch),
                "JUPYTERHUB_USER": self.minter.project,
                REQUEST_VARIABLE: run["request"] or "",
                "DASK_GATEWAY__ADDRESS": f"{self.url}{GATEWAY_PREFIX}",
                "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
            },
            make_secrets=lambda: self._make_secrets(run, epoch),
            check=lambda: self._check_wanted(run["id"]),
        )

    def _check_wanted(self, run_id: str) -> None:
        """Raise if an attempt that is just starting is no longer wanted."""
        if self.stopping():
            raise StoppingError
        if self._read(run_id)[0]["cancel_requested"]:  # just now, not a second ago
            raise CancelledError

    def _make_secrets(self, run: RowMapping, epoch: int) -> Mapping[str, str]:
        life_s = math.ceil(self.executor.longest_wait_s) + run["timeout_s"] + GRACE_S
        token = self.minter.mint(note=f"run {run['id']} attempt {epoch}", life_s=life_s)

        def transact() -> None:
            with self.engine.begin() as connection:
                record_token(connection, run["id"], epoch, token=token.token, token_id=token.id)

        persist(transact)
        return {"JUPYTERHUB_API_TOKEN": token.token, "SKERRY_TOKEN": token.token}

    def _watch(self, name: AttemptName, waiting: Waiting) -> AttemptState:
        """Wait for the end of an attempt; end it if its run is cancelled."""
        while True:
            state = self.executor.poll(name)
            if self.stopping():  # the worker itself may have ended it
                raise StoppingError
            waiting.hear(state)
            if state.is_over:
                return state
            if self._is_cancelled(name.run):
                self.executor.end(name, "Cancelled.")
            self.executor.wait(name, _POLL_S)

    def _is_cancelled(self, run_id: str) -> bool:
        """Return whether a run is cancelled; only what the database says now ends an attempt.

        Within the second for which the common answer is good, the run may have been queued anew.
        """
        if not self._cancellations.include(run_id):
            return False
        return bool(self._read(run_id)[0]["cancel_requested"])

    def _judge(self, name: AttemptName, state: AttemptState) -> Outcome:
        """Return how an attempt ended; the database counts more than its own last words."""
        run, _ = self._read(name.run)
        if run["published_epoch"] is not None:
            return Outcome(epoch=run["published_epoch"], status="published")
        if state.phase in (Phase.TIMED_OUT, Phase.OUT_OF_MEMORY, Phase.UNPLACED):
            return Outcome(name.epoch, "failed", state.detail)
        if run["cancel_requested"]:
            return Outcome(name.epoch, "cancelled", "Cancelled.")
        return _hear(name.epoch, state)


def _hear(epoch: int, state: AttemptState) -> Outcome:
    """Return how an attempt ended, as its last words say; without any it crashed."""
    try:
        result = AttemptResult.model_validate_json(state.message or "")
    except ValueError:
        return Outcome(epoch, "crashed", state.detail)
    return Outcome(epoch, "failed" if result.status == "failed" else "crashed", result.detail)


def remove_unpublished(
    objects: Objects, run_id: str, published_epoch: int | None, *, up_to: int
) -> None:
    """Remove the products of attempts that were not published, and files that none completed.

    Complete logs and pages stay.

    Parameters
    ----------
    up_to
        The last epoch that is over: a later one may be at work already.
    """
    for folder in list_run_folders(objects, run_id):
        if folder.epoch > up_to:
            continue
        folder.remove_unfinished()
        if folder.epoch != published_epoch:
            folder.remove_products()
