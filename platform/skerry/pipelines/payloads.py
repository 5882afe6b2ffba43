"""Payloads: a file with inputs, steps, outputs and settings for computing.

::

    inputs:
      scene: S2B_MSIL2A_20260501T103029_N0511_R108_T33UVV_20260501T134557.SAFE
    steps:
      - name: water
        processor: turbidity
        inputs: [scene]
        parameters: {pole_fraction: 0.4}
        breakpoint: true
    outputs:
      turbidity: {step: water, path: turbidity.zarr, format: eopf-zarr}
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.pipelines.outputs import choose_format
from skerry.pipelines.payload_errors import explain_key

MAX_PAYLOAD_BYTES = 2**20
LEAST_MEMORY_BYTES = 512 * 2**20
"""A worker with the libraries that processors use has 250 to 350 MiB before it does anything."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""Names of inputs, steps and outputs: they become file names."""


class Record(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InputProduct(Record):
    """An input product, and the part of it to use.

    Attributes
    ----------
    path
        A path, relative to the payload's folder, or an address.
    groups, variables, resolution, aoi, aoi_crs, time, valid_range, flags, flag_group, allow_empty
        As `skerry.products.selecting.filtering.filter_product` takes them.
    """

    path: Annotated[str, Field(min_length=1)]
    groups: list[str] | None = None
    variables: list[str] | None = None
    resolution: str | int | None = None
    aoi: Annotated[list[float], Field(min_length=4, max_length=4)] | None = None
    aoi_crs: str | None = None
    time: Annotated[list[str | None], Field(min_length=2, max_length=2)] | None = None
    valid_range: (
        dict[str, Annotated[list[float | None], Field(min_length=2, max_length=2)]] | None
    ) = None
    flags: str | None = None
    flag_group: str | None = None
    allow_empty: bool = False

    @property
    def filters(self) -> dict[str, Any]:
        """The filters of this input, as keywords."""
        filters = self.model_dump(exclude={"path"}, exclude_none=True)
        if not filters["allow_empty"]:
            del filters["allow_empty"]
        if "time" in filters:
            filters["time"] = tuple(filters["time"])
        if "valid_range" in filters:
            filters["valid_range"] = {
                key: tuple(item) for key, item in filters["valid_range"].items()
            }
        return filters


class AuxiliarySource(Record):
    """A versioned folder of auxiliary files."""

    folder: Annotated[str, Field(min_length=1)]
    version: Name | None = None


class DaskSettings(Record):
    """The settings for computing.

    Attributes
    ----------
    scheduler
        ``threads`` and ``processes`` of this machine, or ``distributed``: worker processes with
        a memory limit each, which spill and restart instead of taking the machine down.
    workers
        Threads, processes or workers; one a core if None.
    threads_per_worker
        Threads of each distributed worker.
    memory_limit
        Of each distributed worker, such as ``2GiB``; at least `LEAST_MEMORY_BYTES`.
    """

    scheduler: Literal["threads", "processes", "distributed"] = "threads"
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    threads_per_worker: Annotated[int, Field(ge=1, le=256)] | None = None
    memory_limit: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)? ?[kMGT]?i?B$")] | None = (
        None
    )

    @model_validator(mode="after")
    def _limits_need_workers(self) -> Self:
        for key in ("threads_per_worker", "memory_limit"):
            if getattr(self, key) is not None and self.scheduler != "distributed":
                raise ValueError(f"{key} needs 'scheduler: distributed'")
        return self

    @model_validator(mode="after")
    def _limit_lets_workers_start(self) -> Self:
        from dask.utils import parse_bytes

        if self.memory_limit and parse_bytes(self.memory_limit) < LEAST_MEMORY_BYTES:
            raise ValueError(
                f"memory_limit {self.memory_limit} is too little for a worker to start: "
                f"give at least {LEAST_MEMORY_BYTES >> 20}MiB"
            )
        return self


class Step(Record):
    """One processor on its inputs.

    Attributes
    ----------
    name
        The name of its result.
    processor
        The processor's name.
    inputs
        Names of inputs or of steps above, in the processor's order.
    parameters
        Parameters that differ from their defaults.
    auxiliary
        The processor's auxiliary input to the payload's; not needed where they have one name.
    breakpoint
        Whether its result is written to the work folder: later steps read it from there, and a
        run that was interrupted goes on behind it.
    """

    name: Name
    processor: str
    inputs: Annotated[list[Name], Field(min_length=1)]
    parameters: dict[str, Any] = {}
    auxiliary: dict[str, Name] = {}
    breakpoint: bool = False


class OutputProduct(Record):
    """The output of a step's result.

    Attributes
    ----------
    step
        Name of the step.
    path
        The file or folder to make, relative to the payload's folder.
    format
        A format that `skerry convert` writes; by the path's suffix if None.
    """

    step: Name
    path: Annotated[str, Field(min_length=1)]
    format: Literal["eopf-zarr", "eopf-zarr-v2", "geozarr", "netcdf", "cog"] | None = None

    @property
    def form(self) -> str:
        """The format that is written; raises `InvalidInputError` if the suffix is of another."""
        return choose_format(Path(self.path), self.format)


class Payload(Record):
    """The whole payload.

    Attributes
    ----------
    inputs, auxiliary
        Name to product, name to folder; a text is read as its path.
    steps
        In order: a step uses inputs and steps above it.
    outputs
        Name to output.
    dask
        Settings for computing.
    work
        Folder of intermediate products, markers and logs, relative to the payload's folder.
    """

    inputs: Annotated[dict[Name, InputProduct], Field(min_length=1)]
    auxiliary: dict[Name, AuxiliarySource] = {}
    steps: Annotated[list[Step], Field(min_length=1)]
    outputs: Annotated[dict[Name, OutputProduct], Field(min_length=1)]
    dask: DaskSettings = DaskSettings()
    work: str | None = None

    @field_validator("inputs", mode="before")
    @classmethod
    def _read_paths(cls, value: Any) -> Any:
        return _expand(value, "path")

    @field_validator("auxiliary", mode="before")
    @classmethod
    def _read_folders(cls, value: Any) -> Any:
        return _expand(value, "folder")

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        names = set(self.inputs)
        for step in self.steps:
            if step.name in names:
                raise ValueError(f"steps: the name {step.name!r} is given twice")
            if unknown := [item for item in step.inputs if item not in names]:
                raise ValueError(
                    f"steps.{step.name}.inputs: {unknown[0]!r} is not an input and not a step above"
                )
            missing = [item for item in step.auxiliary.values() if item not in self.auxiliary]
            if missing:
                raise ValueError(f"steps.{step.name}.auxiliary: there is no {missing[0]!r}")
            names.add(step.name)
        self._check_outputs()
        return self

    def _check_outputs(self) -> None:
        steps = {item.name for item in self.steps}
        paths: list[Path] = []
        for name, output in self.outputs.items():
            if output.step not in steps:
                raise ValueError(f"outputs.{name}.step: there is no step {output.step!r}")
            try:
                _ = output.form
            except InvalidInputError as error:
                raise ValueError(f"outputs.{name}.path: {error}") from None
            path = Path(os.path.normpath(output.path))
            if any(path.is_relative_to(item) or item.is_relative_to(path) for item in paths):
                raise ValueError(
                    f"outputs.{name}.path: {output.path!r} is written twice, or is in another"
                )
            paths.append(path)
        used = {item.step for item in self.outputs.values()}
        for step in reversed(self.steps):
            if step.name not in used and not step.breakpoint:
                raise ValueError(
                    f"steps.{step.name}: leads nowhere: no output and no later step uses it"
                )
            used |= set(step.inputs)


def _expand(value: Any, key: str) -> Any:
    """Read a plain text as an object with one key."""
    if not isinstance(value, dict):
        return value
    return {name: {key: item} if isinstance(item, str) else item for name, item in value.items()}


def read_payload(path: Path) -> Payload:
    """Read and check a payload file.

    Raises
    ------
    NotFoundError
        If there is no such file.
    InvalidInputError
        If it is not YAML or not as `Payload` says; the message names the key.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no payload {path}.", remedy="Check the path.")
    if path.stat().st_size > MAX_PAYLOAD_BYTES:
        raise InvalidInputError(
            f"The payload {path} has {path.stat().st_size} bytes.",
            remedy=f"Give a text of at most {MAX_PAYLOAD_BYTES} bytes.",
        )
    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(
            f"The payload {path} is not YAML: {' '.join(str(error).split())}.",
            remedy="Mend the line that is named.",
        ) from None
    return parse_payload(value, source=str(path))


def parse_payload(value: object, *, source: str = "the payload") -> Payload:
    """Check a payload that was read; see `read_payload`."""
    try:
        return Payload.model_validate(value)
    except ValidationError as error:
        key, message = explain_key(error.errors()[0], value, _MODELS)
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InvalidInputError(
            f"{source}: {f'{key}: ' if key else ''}{message.rstrip('.')}{more}.",
            remedy="Mend this key; platform/library/processing.md describes all of them.",
        ) from None


_MODELS: dict[str, type[BaseModel]] = {
    "": Payload,
    "inputs": InputProduct,
    "auxiliary": AuxiliarySource,
    "steps": Step,
    "outputs": OutputProduct,
    "dask": DaskSettings,
}
"""First part of a key to the kind of its value."""
