"""`skerry process`: one processor on products, or a payload of steps."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skerry.cli.outputs import format_option, memory_option
from skerry.cli.parameters import split_pairs
from skerry.cli.presenting import json_option, print_json, say, show_progress
from skerry.cli.processors import show_processor, show_processors
from skerry.cli.termination import clean_up_when_told_to_end
from skerry.core.errors import InvalidInputError, SkerryError

if TYPE_CHECKING:
    from skerry.pipelines.timeline import Timeline
    from skerry.products.auxiliary import AuxiliaryFolder

log = logging.getLogger(__name__)

AOI_NUMBERS = 4


@click.command()
@click.argument("name", required=False)
@click.argument("inputs", nargs=-1, metavar="[PRODUCT]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The product to write.")
@click.option(
    "-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE",
    help="A parameter that differs from its default.",
)  # fmt: skip
@format_option
@memory_option
@click.option("--aoi", help="Process the part west,south,east,north in degrees.")
@click.option("--flags", help="Leave out pixels of these flags: 'thin_cirrus | snow_or_ice'.")
@click.option(
    "--allow-empty",
    is_flag=True,
    help="For an area outside of the product, write a product without pixels.",
)
@click.option(
    "--aux", "auxiliary", multiple=True, metavar="NAME=FOLDER[@VERSION]",
    help="A folder of auxiliary data that the processor names.",
)  # fmt: skip
@click.option(
    "--payload", type=click.Path(path_type=Path), help="Run the steps of a YAML file instead."
)
@click.option(
    "--trace", type=click.Path(path_type=Path),
    help="Write wall time, CPU and memory of each step, for chrome://tracing.",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the processors.")
@click.option("--describe", is_flag=True, help="Describe a processor: inputs, parameters, source.")
@click.option("-v", "--verbose", is_flag=True, help="Log every step with the run's id.")
@json_option
@clean_up_when_told_to_end()
def process(
    *,
    name: str | None,
    inputs: tuple[str, ...],
    output: Path | None,
    pairs: tuple[str, ...],
    form: str | None,
    memory_bytes: int,
    aoi: str | None,
    flags: str | None,
    allow_empty: bool,
    auxiliary: tuple[str, ...],
    payload: Path | None,
    trace: Path | None,
    listing: bool,
    describe: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Run the processor NAME on products, or the steps of a payload.

    An interrupted payload goes on at its first unfinished step when you run it again.

    \b
    Example:
      skerry process --list
      skerry process turbidity --describe
      skerry process turbidity S2B_MSIL2A_*.SAFE -o turbidity.zarr -p pole_fraction=0.4
      skerry process --payload water.yaml --trace water.trace.json
    """  # noqa: D301
    from skerry.core.ids import new_id

    if listing:
        return show_processors(as_json=as_json)
    if describe:
        return show_processor(_need(name, "NAME", "one of --list"), as_json=as_json)
    run_id = new_id()
    with _logging(run_id, verbose=verbose), _timing(run_id, trace, inputs) as timeline:
        if payload is not None:
            others = (name, inputs, output, pairs, auxiliary, aoi, flags, form, allow_empty)
            return _run_payload(payload, others, timeline, memory_bytes, as_json=as_json)
        return _run_processor(
            _need(name, "NAME", "a processor of skerry process --list, or give --payload FILE"),
            inputs,
            _need(output, "-o OUT", "the product to make"),
            pairs,
            form,
            filters=_read_filters(aoi, flags, allow_empty=allow_empty),
            auxiliary=_read_auxiliary(auxiliary),
            timeline=timeline,
            memory_bytes=memory_bytes,
            as_json=as_json,
        )


def _run_payload(
    payload: Path, others: Sequence[object], timeline: Timeline, memory_bytes: int, *, as_json: bool
) -> None:
    from skerry.pipelines.payload_running import run_payload

    if any(others):
        raise InvalidInputError(
            "A payload names its own processors, products, parameters and formats.",
            remedy="Give only --payload, or --payload with --trace or --memory.",
        )
    with show_progress(payload.name) as progress:
        result = run_payload(
            payload,
            progress=progress,
            timeline=timeline,
            run_id=timeline.run_id,
            memory_bytes=memory_bytes,
        )
    if as_json:
        outputs = {name: str(path) for name, path in result.outputs.items()}
        print_json(
            {
                "run_id": result.run_id,
                "written": list(result.written),
                "kept": list(result.kept),
                "outputs": outputs,
            }
        )
        return
    if not result.written:
        say("Everything is done already: nothing was written.")
    for name in result.written:
        say(f"Wrote {name}")
    for name in result.kept:
        say(f"Kept {name}")
    for path in result.outputs.values():
        say(str(path))


def _run_processor(
    name: str,
    inputs: Sequence[str],
    output: Path,
    pairs: Sequence[str],
    form: str | None,
    *,
    filters: dict[str, Any],
    auxiliary: dict[str, AuxiliaryFolder],
    timeline: Timeline,
    memory_bytes: int,
    as_json: bool,
) -> None:
    from skerry.pipelines.processing import run_processor
    from skerry.processors.registry import get_processor

    if not inputs:
        raise InvalidInputError(
            f"{name} got no product.", remedy="Give a product after the processor."
        )
    parameters = get_processor(name).parse(split_pairs(pairs))
    with show_progress(name) as progress:
        manifest = run_processor(
            name,
            inputs,
            output,
            parameters=parameters,
            form=form,
            auxiliary=auxiliary,
            filters=filters,
            progress=progress,
            timeline=timeline,
            run_id=timeline.run_id,
            memory_bytes=memory_bytes,
        )
    if as_json:
        print_json(manifest)
    else:
        say(str(output))


def _read_filters(aoi: str | None, flags: str | None, *, allow_empty: bool) -> dict[str, Any]:
    filters = {"aoi": _read_aoi(aoi), "flags": flags, "allow_empty": allow_empty or None}
    return {key: value for key, value in filters.items() if value is not None}


def _read_aoi(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != AOI_NUMBERS:
        raise InvalidInputError(
            f"{text!r} is not a bounding box.",
            remedy="Write it as 13,54,15,55 (west,south,east,north).",
        )
    return numbers


def _read_auxiliary(pairs: Sequence[str]) -> dict[str, AuxiliaryFolder]:
    from skerry.products.auxiliary import AuxiliaryFolder

    places = {}
    for name, text in split_pairs(pairs, form="--aux NAME=FOLDER").items():
        folder, mark, version = text.rpartition("@")
        if not mark:
            folder, version = text, ""
        places[name] = AuxiliaryFolder(name, Path(folder).expanduser(), version or None)
    return places


def _need[T](value: T | None, word: str, meaning: str) -> T:
    if value is None:
        raise InvalidInputError(
            f"{word} is missing on the command line.", remedy=f"Give it: {meaning}."
        )
    return value


@contextmanager
def _timing(run_id: str, trace: Path | None, inputs: Sequence[str]) -> Iterator[Timeline]:
    """Measure the times of the block's work; write the file even if the block fails.

    Raises
    ------
    InvalidInputError
        Before any work, if the file cannot be written or is inside an input.
    """
    from skerry.pipelines.outputs import refuse_inside
    from skerry.pipelines.timeline import Timeline, check_place

    timeline = Timeline(run_id)
    if trace is None:
        yield timeline
        return
    refuse_inside(trace, inputs)
    check_place(trace)
    with timeline:
        try:
            yield timeline
        finally:
            try:
                timeline.write(trace)
            except (OSError, SkerryError) as error:  # the run is done, or has its own error
                log.warning("The trace is not written: %s", error)


def _logging(run_id: str, *, verbose: bool) -> AbstractContextManager[None]:
    """Send the log to standard error, each line with the run's id."""
    from skerry.pipelines.logs import send_log

    return send_log(logging.StreamHandler(), run_id, verbose=verbose)
