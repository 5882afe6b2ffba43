"""The worker's daily prune, beside its other work."""

import logging
import threading
import time

from sqlalchemy import Engine

from skerry.core.time import utc_now
from skerry.core.wording import describe_bytes
from skerry.core.worker_settings import UpkeepSettings
from skerry.models.upkeep import PruneReport
from skerry.production.upkeep.last_prune import claim_daily
from skerry.storage.layout import DataFolder
from skerry.storage.recording import Actor

_LOOK_S = 30.0
_LOG = logging.getLogger("skerry.worker")


class Upkeep:
    """Prunes once a day, in the worker that comes first.

    Parameters
    ----------
    data
        The data folder.
    engine
        Skerry's database.
    by
        Who changes things, in the audit.

    Raises
    ------
    InvalidInputError
        If a setting cannot be read.
    """

    def __init__(self, data: DataFolder, engine: Engine, by: Actor | None = None) -> None:
        self._data = data
        self._by = by
        self._engine = engine
        self._settings = UpkeepSettings.from_environment()
        self._looked = -_LOOK_S

    def look(self) -> threading.Thread | None:
        """Begin the daily prune if it is due, in a thread of its own, which is returned."""
        now = time.monotonic()
        if not self._settings.daily or now - self._looked < _LOOK_S:
            return None
        self._looked = now
        if not claim_daily(self._engine, utc_now()):
            return None
        thread = threading.Thread(target=self._prune, name="prune", daemon=True)
        thread.start()
        return thread

    def _prune(self) -> None:
        from skerry.production.upkeep.pruning import Prune, Wish

        try:
            report = Prune(
                self._data, Wish(do=True, settings=self._settings), by=self._by
            ).carry_out()
        except Exception:  # noqa: BLE001 - the next prune tries again; the log says why
            _LOG.exception("The daily prune failed")
        else:
            _tell(report)


def _tell(report: PruneReport) -> None:
    _LOG.info("The daily prune freed %s.", describe_bytes(report.size))
    if report.skipped:
        _LOG.warning("The daily prune did not look everywhere: %s", report.skipped)
    for line in report.left:
        _LOG.warning("The daily prune left %s", line)
    if report.unnamed or report.lost:
        _LOG.warning(
            "No record names the bytes below %s prefixes, and the bytes of %s records are gone: "
            "'skerry prune' names them.", len(report.unnamed), len(report.lost),
        )  # fmt: skip
    for changed in report.changed:
        _LOG.warning("The bytes of %s were written again after it was registered.", changed.record)
