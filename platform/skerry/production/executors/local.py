"""Attempts as processes of this machine, each with a record from which it is found again."""

import logging
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from skerry.core.disk import check_space
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.temporary import name_temporary
from skerry.core.wording import describe_bytes
from skerry.production.environments import find_python
from skerry.production.executors.last_words import FILE_VARIABLE, REASON_VARIABLE, read_words
from skerry.production.executors.places import (
    AttemptPlaces,
    Record,
    list_places,
    list_waiting,
    name_waiting,
)
from skerry.production.executors.prepared import Prepared, Waiting, hand_over
from skerry.production.executors.protocol import AttemptName, AttemptState, Limits, Order, Phase
from skerry.production.executors.variables import name_common, name_own
from skerry.production.processes import (
    RunProcesses,
    adopt_orphans,
    end_marked,
    end_tree,
    measure_memory,
    wait_for_end,
)
from skerry.production.run_log import add_line
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import WorkingFile
from skerry.storage.run_folder import RunFile, RunFolder
from skerry.storage.writing import write_aside

_LOG = logging.getLogger("skerry.worker")
_MEMORY_S = 1.0


class LocalExecutor:
    """Runs attempts as processes of this machine.

    Parameters
    ----------
    data
        The data folder.
    patience_s
        Seconds that a process has for its last words when it is asked to end.
    prepare
        The module of which a prepared process waits for the next attempt; None for none.
    """

    longest_wait_s = 0.0

    def __init__(
        self, data: DataFolder, *, patience_s: float = 15.0, prepare: str | None = None
    ) -> None:
        self._data = data
        self._patience_s = patience_s
        self._objects = open_objects(data)
        self._processes = RunProcesses()
        self._started: dict[AttemptName, subprocess.Popen[bytes]] = {}
        self._measured: dict[AttemptName, float] = {}
        self._turn = threading.Lock()
        self._closed = False
        self._prepared = (
            Prepared(prepare, self._start_prepared, self._end_prepared) if prepare else None
        )

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        """Start a process, or attach to the process of that name."""
        places = self._places(name)
        if places.read() is not None:
            return
        check_space(self._data.root, "A run")
        RunFolder(self._objects, name.run, name.epoch).create()
        places.create()
        log = self._log(places)
        try:
            python = find_python(self._data, order.environment, partial(_say, log), order.check)
        except BaseException:
            self._save_log(places)
            places.remove()
            raise
        try:
            self._start(name, python, order, limits)
        except BaseException:  # without a record nobody finds it again
            self._sweep(places, None)
            raise

    def _start(self, name: AttemptName, python: Path, order: Order, limits: Limits) -> None:
        """Start an attempt, in the prepared process if it is one of the same program."""
        places = self._places(name)
        variables = self._name_variables(python, order, places)
        log = self._log(places).path
        prepared = self._take_prepared(order, python)
        if prepared is not None:
            with self._turn:
                self._refuse_when_closed()
                self._started[name] = prepared.process
                self._record(places, prepared.process, limits, waited_in=prepared.folder)
                if hand_over(prepared, variables, places.work, log):
                    return
            self._sweep(places, None)
            shutil.rmtree(prepared.folder, ignore_errors=True)
        with self._turn:
            self._refuse_when_closed()
            with log.open("ab") as output:
                process = self._processes.start(
                    [str(python), *order.arguments],
                    cwd=places.work,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self._started[name] = process
        self._record(places, process, limits)

    def _renew_prepared(self) -> None:
        if self._prepared is not None:
            self._prepared.renew_later()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UnavailableError("The worker is ending.", remedy="The next one goes on.")

    def _record(
        self,
        places: AttemptPlaces,
        process: subprocess.Popen[bytes],
        limits: Limits,
        waited_in: Path | None = None,
    ) -> None:
        places.write(
            Record(
                pid=process.pid,
                created=psutil.Process(process.pid).create_time(),
                began=time.time(),
                waited_in=waited_in,
                time_s=limits.time_s,
                memory=limits.memory,
            )
        )

    def _take_prepared(self, order: Order, python: Path) -> Waiting | None:
        if self._prepared is None or python != Path(sys.executable):
            return None
        return self._prepared.take(order.environment, order.arguments)

    def _start_prepared(self, arguments: tuple[str, ...]) -> Waiting:
        """Start a process that waits for an attempt; it knows nothing but the common variables."""
        folder = name_waiting(self._data.run)
        folder.mkdir(mode=0o700, parents=True)
        with self._turn:
            self._refuse_when_closed()
            process = self._processes.start(
                [sys.executable, *arguments],
                cwd=self._data.run,
                env=name_common(Path(sys.executable)) | name_own(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
        return Waiting(process, folder)

    def _end_prepared(self, waiting: Waiting) -> None:
        self._processes.end(waiting.process)
        shutil.rmtree(waiting.folder, ignore_errors=True)

    def poll(self, name: AttemptName) -> AttemptState:
        """Return the state of an attempt; end it if it is beyond its limits."""
        places = self._places(name)
        record = places.read()
        if record is None:
            return AttemptState(Phase.VANISHED, "Nothing of the attempt is left.")
        if record.phase is not Phase.RUNNING:
            return AttemptState(record.phase, record.detail, record.message)
        if not self._is_alive(name, record):
            return self._settle(places, record)
        breach = self._find_breach(name, record)
        if breach is None:
            self._save_log(places, at_once=False)
            return AttemptState(Phase.RUNNING)
        self._ask_to_end(places, record, breach.detail)
        return self._settle(places, record, breach)

    def wait(self, name: AttemptName, time_s: float) -> None:
        """Wait for the end of the attempt's process, without looking again and again."""
        record = self._places(name).read()
        if record is not None and self._is_alive(name, record):
            wait_for_end(record.pid, time_s)

    def logs(self, name: AttemptName, start: int = 0) -> bytes:
        """Return the log from byte `start`."""
        places = self._places(name)
        if places.work.is_dir():
            self._save_log(places)
        folder = RunFolder(self._objects, name.run, name.epoch)
        return folder.read(RunFile.LOG, slice(start, None)) or b""

    def end(self, name: AttemptName, reason: str) -> None:
        """Ask a process to end, and kill what is left of the attempt."""
        places = self._places(name)
        record = places.read()
        if record is None or record.phase is not Phase.RUNNING:
            return
        if self._is_alive(name, record):
            self._ask_to_end(places, record, reason)
            self._settle(places, record, AttemptState(Phase.KILLED, reason))
        else:
            self._settle(places, record)

    def forget(self, name: AttemptName) -> None:
        """Remove an attempt's record."""
        places = self._places(name)
        places.remove()
        places.record.unlink(missing_ok=True)

    def list_attempts(self) -> list[AttemptName]:
        """Return the attempts that have a record."""
        return [places.name for places in list_places(self._data.run) if places.read() is not None]

    def find_fault(self) -> str | None:
        """Return None: nothing but this process is needed."""
        return None

    def recover(self) -> None:
        """End what dead attempts left, and free their folders; live attempts go on."""
        adopt_orphans()
        all_places = list(list_places(self._data.run))
        alive = {mark for places in all_places if places.is_alive() for mark in places.list_marks()}
        end_marked(self._data.attempts, spare=alive.__contains__)
        for folder in list_waiting(self._data.run):
            if folder not in alive:
                shutil.rmtree(folder, ignore_errors=True)
        for places in all_places:
            if places.work not in alive:
                record = places.read()
                if record is not None and record.phase is Phase.RUNNING:
                    self._settle(places, record)
                elif places.log.exists():
                    self._save_log(places)
                places.remove()
        self._renew_prepared()

    def close(self) -> None:
        """End every process at once; the next worker begins the attempts anew."""
        if self._prepared is not None:
            self._prepared.close()
        with self._turn:
            self._closed = True
        for places in list_places(self._data.run):
            record = places.read()
            if record is not None and record.phase is Phase.RUNNING:
                self._sweep(places, record)

    def _places(self, name: AttemptName) -> AttemptPlaces:
        return AttemptPlaces(self._data.run, name)

    def _is_alive(self, name: AttemptName, record: Record) -> bool:
        process = self._started.get(name)
        return record.find() is not None if process is None else process.poll() is None

    def _find_breach(self, name: AttemptName, record: Record) -> AttemptState | None:
        """Return the end of an attempt that is beyond its limits."""
        if time.time() > (record.began or record.created) + record.time_s:
            return AttemptState(Phase.TIMED_OUT, f"Ended after its timeout of {record.time_s:g} s.")
        now = time.monotonic()
        if record.memory is None or now - self._measured.get(name, -_MEMORY_S) < _MEMORY_S:
            return None
        self._measured[name] = now
        if measure_memory(record.pid) <= record.memory:
            return None
        limit = describe_bytes(record.memory)
        return AttemptState(
            Phase.OUT_OF_MEMORY, f"Ended because it took more than {limit} of memory."
        )

    def _ask_to_end(self, places: AttemptPlaces, record: Record, reason: str) -> None:
        """Ask a process to end its work and write its last words, within some seconds."""
        with suppress(OSError):  # on a full disk it ends without the reason
            write_aside(places.reason, reason, outlasts_power=False)
        process = record.find()
        if process is not None:
            with suppress(psutil.Error):
                process.terminate()
            started = self._started.get(places.name)
            with suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
                (process if started is None else started).wait(self._patience_s)

    def _settle(
        self, places: AttemptPlaces, record: Record, end: AttemptState | None = None
    ) -> AttemptState:
        """End what is left of an attempt, free its folders, and record how it ended."""
        started = self._sweep(places, record)
        words = read_words(places.last_words)
        message = words.message if words is not None else None
        if end is None:
            code = words.exit_code if words is not None else None
            end = _judge(started.returncode if started is not None else code)
        record = record.model_copy(
            update={"phase": end.phase, "detail": end.detail, "message": message}
        )
        if words is None and end.detail:  # nobody else can say in its log how it ended
            self._tell_end(places, end.detail)
        self._save_log(places)
        with suppress(OSError):  # on a full disk it counts as vanished, for the next worker
            places.write(record)
        places.remove()
        self._renew_prepared()
        return AttemptState(record.phase, record.detail, record.message)

    def _tell_end(self, places: AttemptPlaces, detail: str) -> None:
        name = places.name
        _LOG.warning("Attempt %s of the run %s: %s", name.epoch, name.run, detail)
        with suppress(OSError, SkerryError):
            add_line(self._log(places).path, detail)

    def _log(self, places: AttemptPlaces) -> WorkingFile:
        name = places.name
        return RunFolder(self._objects, name.run, name.epoch).append_log(places.log)

    def _save_log(self, places: AttemptPlaces, *, at_once: bool = True) -> None:
        """Let people see an attempt's log; an object store that is away harms no attempt."""
        try:
            self._log(places).save(at_once=at_once)
        except (OSError, SkerryError) as error:
            _LOG.warning("The log of the attempt %s is not kept now: %s", places.name, error)

    def _sweep(
        self, places: AttemptPlaces, record: Record | None
    ) -> subprocess.Popen[bytes] | None:
        """Kill every process of an attempt; return its own if this worker started it."""
        started = self._started.pop(places.name, None)
        self._measured.pop(places.name, None)
        if started is not None:
            self._processes.end(started)
        elif record is not None and record.find() is not None:
            end_tree(record.pid)
        end_marked(*places.list_marks())
        return started

    def _name_variables(self, python: Path, order: Order, places: AttemptPlaces) -> dict[str, str]:
        """Return the whole environment of a process, without any other variable of the worker."""
        return {
            **order.variables,
            **name_common(python),
            # what a killed kernel leaves there goes with the working folder, on the same disk
            **name_temporary(places.temporary),
            **name_own(places.work),
            FILE_VARIABLE: str(places.last_words),
            REASON_VARIABLE: str(places.reason),
            **order.make_secrets(),
        }


def _say(log: WorkingFile, text: str) -> None:
    add_line(log.path, text)
    log.save()


def _judge(code: int | None) -> AttemptState:
    """Return the end that an exit code tells; below zero it is a signal."""
    if code is None:
        return AttemptState(Phase.VANISHED, "The run process vanished.")
    if code == 0:
        return AttemptState(Phase.SUCCEEDED)
    if code < 0:
        return AttemptState(Phase.KILLED, f"The run process ended with signal {-code}.")
    return AttemptState(Phase.FAILED, f"The run process ended with exit code {code}.")
