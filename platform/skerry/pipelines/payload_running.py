"""Runs a payload, task by task; each product is written completely, and only once.

A task writes one product: a breakpoint or an output. Its key is the digest of all that it depends
on: processors, versions, parameters and, through every step below it, the inputs' contents. A
marker beside the products names the key; where it is there, the product is as it was written and
the auxiliary files are as they were, the task is done. Steps without breakpoint are not written:
they are computed as part of the tasks that use them.
"""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError
from skerry.core.ids import new_id
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress, ignore_progress
from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION
from skerry.pipelines.computing import compute_by, explain_lost_workers
from skerry.pipelines.outputs import refuse_inside
from skerry.pipelines.payload_errors import naming, naming_parameter
from skerry.pipelines.payloads import Payload, Step, read_payload
from skerry.pipelines.processing import (
    LazyResult,
    apply_processor,
    describe_step,
    digest_key,
    digest_place,
    name_product,
    open_source,
    write_manifest,
    write_result,
)
from skerry.pipelines.timeline import Timeline
from skerry.pipelines.work_folder import WorkFolder
from skerry.processors.declarations import AuxiliaryInput
from skerry.processors.registry import Processor, get_processor
from skerry.processors.selection import select_auxiliary
from skerry.products.auxiliary import AuxiliaryFolder, find_changes

log = logging.getLogger(__name__)

BREAKPOINT_FORMAT = "eopf-zarr"


@dataclass(frozen=True)
class Task:
    """One product to write.

    Attributes
    ----------
    name
        ``step-<step>`` or ``output-<output>``.
    step
        The step that makes it.
    path, form
        Its path and format.
    """

    name: str
    step: str
    path: Path
    form: str


@dataclass(frozen=True)
class PayloadResult:
    """The result of a run.

    Attributes
    ----------
    run_id
        Its name in logs and manifests.
    written, kept
        Names of tasks that were done now, and of those that were done before.
    outputs
        Name of each output to its path.
    """

    run_id: str
    written: tuple[str, ...]
    kept: tuple[str, ...]
    outputs: dict[str, Path]


def run_payload(
    file: Path,
    *,
    progress: Progress | None = None,
    timeline: Timeline | None = None,
    run_id: str | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> PayloadResult:
    """Run a payload file, or the part of it that is not done.

    Parameters
    ----------
    file
        The payload, YAML.
    progress, timeline
        Receives the progress.
    run_id
        Named in manifests and logs; made if None.
    memory_bytes
        Approximate memory limit for writing.

    Raises
    ------
    NotFoundError, InvalidInputError
        If the payload, its inputs, parameters or auxiliary data are not usable.
    ConflictError
        If another run of it is going on, or an output was not written by it or was changed since.
    """
    payload = read_payload(file)
    base = file.absolute().parent
    work = WorkFolder(base / (payload.work or f"{file.stem}.work"))
    run_id = run_id or new_id()
    timeline = timeline or Timeline(run_id)
    run = _Run(payload, base, work, timeline, run_id, progress or ignore_progress, memory_bytes)
    with naming(str(file)):
        run.check_places()
        with work.hold(), work.keep_log(run_id), compute_by(payload.dask):
            return run.do()


@dataclass
class _Run:
    """One run of a payload."""

    payload: Payload
    base: Path
    work: WorkFolder
    timeline: Timeline
    run_id: str
    progress: Progress
    memory_bytes: int
    results: dict[str, LazyResult] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str | None] = field(default_factory=dict)
    redone: set[str] = field(default_factory=set)

    def do(self) -> PayloadResult:
        """Execute every task that is not done."""
        self.progress(0.0, "Reading inputs")
        self._check_steps()
        tasks = self._list_tasks()
        written, kept = [], []
        for number, task in enumerate(tasks):
            with naming(_name_key(task)):
                done = self._is_done(task)
            if done:
                log.info("%s is done", task.name)
                kept.append(task.name)
                continue
            log.info("%s begins", task.name)
            self._write(task, number / len(tasks), 1 / len(tasks))
            log.info("%s is written: %s", task.name, task.path)
            written.append(task.name)
        self.progress(1.0, "Done")
        outputs = {name: self.base / item.path for name, item in self.payload.outputs.items()}
        return PayloadResult(self.run_id, tuple(written), tuple(kept), outputs)

    def check_places(self) -> None:
        """Refuse missing folders, and outputs inside of inputs."""
        sources = [self._place(name) for name in self.payload.inputs]
        with naming("work"):
            refuse_inside(self.work.root, sources)
        for name, output in self.payload.outputs.items():
            with naming(f"outputs.{name}.path"):
                refuse_inside(self.base / output.path, [*sources, self.work.root])
        for name, source in self.payload.auxiliary.items():
            with naming(f"auxiliary.{name}"):
                AuxiliaryFolder(name, self.base / source.folder, source.version)

    def _check_steps(self) -> None:
        """Find all keys and refuse visible faults, before anything is computed."""
        with self.timeline.span("digest inputs"):
            for name in self.payload.inputs:
                with naming(f"inputs.{name}.path"):
                    self.digests[name] = digest_place(self._place(name))
        for name, source in self.payload.inputs.items():
            self.keys[name] = digest_key(
                {"content": self.digests[name] or source.path, "filters": source.filters}
            )
        for step in self.payload.steps:
            with naming(f"steps.{step.name}.processor"):
                processor = get_processor(step.processor)
            folders = self._folders(step, processor)
            with naming(f"steps.{step.name}.auxiliary"):
                select_auxiliary(processor.inputs, folders, processor.name)
            with naming_parameter(f"steps.{step.name}.parameters"):
                parameters = processor.check(step.parameters)
            self.keys[step.name] = digest_key(
                describe_step(processor, parameters)
                | {"inputs": [self.keys[item] for item in step.inputs]}
                | {"auxiliary": {key: str(item.root) for key, item in folders.items()}}
            )

    def _list_tasks(self) -> list[Task]:
        """Return the tasks: each step's breakpoint, then its outputs, in the order of the steps."""
        tasks = []
        for step in self.payload.steps:
            if step.breakpoint:
                path = self.work.product(step.name)
                tasks.append(Task(f"step-{step.name}", step.name, path, BREAKPOINT_FORMAT))
            tasks += [
                Task(f"output-{name}", step.name, self.base / item.path, item.form)
                for name, item in self.payload.outputs.items()
                if item.step == step.name
            ]
        return tasks

    def _is_done(self, task: Task) -> bool:
        """Return whether a task is done and nothing that it depends on has changed.

        Raises
        ------
        ConflictError
            If something stands at the output that this payload did not write, or that was
            changed since.
        """
        marker = self.work.read_marker(task.name)
        ours = marker is not None and marker.get("path") == str(task.path)
        if not task.path.exists():
            return False
        if marker is None or not ours:
            raise _refuse(task.path, "exists and was not written by this payload")
        if marker.get("state") != "done":
            return False
        if marker.get("digest") != digest_tree(task.path):
            if task.name.startswith("step-"):
                return False
            raise _refuse(task.path, "was changed since this payload wrote it")
        if marker.get("key") != self._task_key(task) or self.redone & self._steps_below(task.step):
            return False
        changed = [file for record in marker["auxiliary"].values() for file in find_changes(record)]
        for item in changed:
            log.warning("%s is not as it was: %s is done again", item, task.name)
        return not changed

    def _steps_below(self, name: str) -> set[str]:
        """Return the steps on which a step depends."""
        steps = {step.name: step for step in self.payload.steps}
        names: set[str] = set()
        for item in steps[name].inputs:
            if item in steps:
                names |= {item} | self._steps_below(item)
        return names | {name}

    def _task_key(self, task: Task) -> str:
        return digest_key({"step": self.keys[task.step], "form": task.form})

    def _write(self, task: Task, begin: float, share: float) -> None:
        marker: dict[str, Any] = {"state": "writing", "path": str(task.path), "run_id": self.run_id}
        started = format_time(utc_now())
        # What is there now is this payload's own; what comes there meanwhile is another's.
        replace = os.path.lexists(task.path)
        with self.timeline.span(task.name, output=str(task.path), format=task.form):
            # From here on a stale product counts as none, and what is half written as ours.
            self.work.write_marker(task.name, marker)
            result = self._make(task.step)
            result.tree.name = result.tree.attrs["stac_discovery"]["id"] = name_product(task.path)
            try:
                with naming(f"steps.{task.step}"), explain_lost_workers(self.payload.dask):
                    write_result(
                        result,
                        task.path,
                        task.form,
                        replace=replace,
                        memory_bytes=self.memory_bytes,
                        progress=lambda done, what: self.progress(begin + share * done, what),
                    )
            except ConflictError:
                self.work.remove_marker(task.name)  # another writer's product is there
                raise
        manifest = self._describe(task, result, started)
        if task.name.startswith("output-"):
            write_manifest(task.path, manifest)
        self.work.write_marker(
            task.name,
            marker | manifest | {
                "state": "done",
                "key": self._task_key(task),
                "digest": manifest["output"]["digest"],
            },
        )  # fmt: skip
        if task.name.startswith("step-"):
            self.redone.add(task.step)
            del self.results[task.step]  # from here on it is read from the work folder

    def _describe(self, task: Task, result: LazyResult, started: str) -> dict[str, Any]:
        below = self._steps_below(task.step)
        steps = [step for step in self.payload.steps if step.name in below]
        inputs = {self._place(name): self.digests[name] for name in self.payload.inputs}
        return {
            "run_id": self.run_id,
            "software": {"skerry": VERSION},
            "started": started,
            "finished": format_time(utc_now()),
            "steps": [{"name": step.name} | self._describe_step(step) for step in steps],
            "inputs": {place: inputs.get(place) for place in result.places},
            "auxiliary": self._describe_auxiliary(result, below),
            "output": {
                "path": task.path.name,
                "format": task.form,
                "digest": digest_tree(task.path),
            },
        }

    def _describe_step(self, step: Step) -> dict[str, Any]:
        processor = get_processor(step.processor)
        return describe_step(processor, processor.check(step.parameters))

    def _describe_auxiliary(self, result: LazyResult, below: set[str]) -> dict[str, Any]:
        """Return the auxiliary files used, here and in breakpoints below."""
        facts: dict[str, Any] = {}
        for step in below:
            marker = self.work.read_marker(f"step-{step}")
            if marker is not None and marker.get("state") == "done":
                facts |= marker["auxiliary"]
        return facts | {folder.name: folder.describe() for folder in result.folders}

    def _make(self, name: str) -> LazyResult:
        """Return an input's or a step's product, lazy: opened, or a processor applied."""
        if name in self.results:
            return self.results[name]
        if name in self.payload.inputs:
            source = self.payload.inputs[name]
            with naming(f"inputs.{name}"):
                self.results[name] = open_source(self._place(name), source.filters)
            return self.results[name]
        step = next(item for item in self.payload.steps if item.name == name)
        processor = get_processor(step.processor)
        marker = self.work.read_marker(f"step-{name}")
        if step.breakpoint and marker is not None and marker.get("state") == "done":
            opened = open_source(str(self.work.product(name)))
            self.results[name] = LazyResult(opened.tree, tuple(marker["inputs"]))
            return self.results[name]
        sources = [self._make(item) for item in step.inputs]
        with naming(f"steps.{name}"), explain_lost_workers(self.payload.dask):
            self.results[name] = apply_processor(
                processor,
                sources,
                name=name,
                parameters=processor.check(step.parameters),
                folders=self._folders(step, processor),
            )
        return self.results[name]

    def _folders(self, step: Step, processor: Processor) -> dict[str, AuxiliaryFolder]:
        """Return the folders of a step's auxiliary inputs: named in the step, or of one name."""
        by_input = {
            item.name: step.auxiliary.get(item.name, item.name)
            for item in processor.inputs
            if isinstance(item, AuxiliaryInput)
        }
        names = by_input | dict(step.auxiliary)
        folders = {}
        for key, name in names.items():
            source = self.payload.auxiliary.get(name)
            if source is not None:
                folders[key] = AuxiliaryFolder(name, self.base / source.folder, source.version)
        return folders

    def _place(self, name: str) -> str:
        path = self.payload.inputs[name].path
        return path if "://" in path else str(self.base / Path(path).expanduser())


def _refuse(path: Path, why: str) -> ConflictError:
    return ConflictError(f"{path} {why}.", remedy="Move it away, or write to another place.")


def _name_key(task: Task) -> str:
    """Return the payload's key that asks for a task."""
    kind, _, name = task.name.partition("-")
    return f"outputs.{name}.path" if kind == "output" else f"steps.{name}.breakpoint"
