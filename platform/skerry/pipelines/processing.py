"""Runs one processor on products and writes its result."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from skerry.core.digests import digest_json, digest_tree
from skerry.core.errors import ConflictError, NotFoundError
from skerry.core.ids import new_id
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress, ignore_progress
from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION
from skerry.core.wording import shorten
from skerry.pipelines.outputs import choose_format, refuse_inside
from skerry.pipelines.results import describe_result, link_sources
from skerry.pipelines.sources import digest_source
from skerry.pipelines.timeline import Timeline
from skerry.processors.registry import Processor, get_processor
from skerry.products.auxiliary import AuxiliaryFolder
from skerry.products.writing import write_product
from skerry.storage.writing import make_aside

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LazyResult:
    """A product that is not computed yet, and its inputs.

    Attributes
    ----------
    tree
        The product, lazy.
    places
        Paths and addresses of the inputs at the bottom.
    folders
        Auxiliary folders in use.
    """

    tree: xr.DataTree
    places: tuple[str, ...]
    folders: tuple[AuxiliaryFolder, ...] = field(default=())


def apply_processor(
    processor: Processor,
    sources: Sequence[LazyResult],
    *,
    name: str,
    parameters: Mapping[str, Any],
    folders: Mapping[str, AuxiliaryFolder] | None = None,
) -> LazyResult:
    """Apply a processor; nothing is computed.

    Raises
    ------
    InvalidInputError
        If the sources or parameters are not what the processor takes.
    """
    folders = folders or {}
    result = processor.apply(*(source.tree for source in sources), auxiliary=folders, **parameters)
    used_folders = tuple(folders.values())
    tree = describe_result(
        result,
        processor,
        parameters,
        [source.tree for source in sources],
        name=name,
        auxiliary=[item.describe() for item in used_folders],
    )
    places = tuple(dict.fromkeys(place for source in sources for place in source.places))
    below = tuple(folder for source in sources for folder in source.folders)
    return LazyResult(tree, places, below + used_folders)


def run_processor(
    name: str,
    inputs: Sequence[str],
    output: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    form: str | None = None,
    auxiliary: Mapping[str, AuxiliaryFolder] | None = None,
    filters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    timeline: Timeline | None = None,
    run_id: str | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> dict[str, Any]:
    """Run one processor and write its product, with a manifest next to it.

    Parameters
    ----------
    name
        The processor.
    inputs
        Paths or addresses of products.
    output
        The file or folder to make.
    parameters
        Parameters that differ from their defaults.
    form
        Format of the output; by its suffix if None.
    auxiliary
        The processor's auxiliary inputs to folders.
    filters
        Keywords of `skerry.products.filter_product`: the part that is processed.
    progress, timeline
        Receives the progress.
    run_id
        Named in manifest and logs; made if None.
    memory_bytes
        Approximate memory limit for writing.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    NotFoundError, InvalidInputError
        If processor, inputs, parameters or auxiliary data are not usable, or the output is
        inside of an input or names another format.
    ConflictError
        If the output exists.
    """
    output_format = _check_output(output, form, inputs)
    report = progress or ignore_progress
    timeline = timeline or Timeline(run_id or new_id())
    processor = get_processor(name)
    checked = processor.check(parameters or {})
    folders = dict(auxiliary or {})
    started = format_time(utc_now())
    report(0.0, "Opening")
    with timeline.span("open", inputs=list(inputs)):
        sources = [open_source(item, filters) for item in inputs]
    with timeline.span(f"prepare {name}", processor=name, version=processor.version):
        result = apply_processor(
            processor, sources, name=name_product(output), parameters=checked, folders=folders
        )
    with timeline.span(f"write {output.name}", format=output_format):
        write_result(result, output, output_format, progress=report, memory_bytes=memory_bytes)
    manifest = {
        "run_id": run_id or timeline.run_id,
        "software": {"skerry": VERSION},
        "started": started,
        "finished": format_time(utc_now()),
        "steps": [describe_step(processor, checked)],
        **_describe_result(result, output, output_format),
    }
    write_manifest(output, manifest)
    report(1.0, "Done")
    return manifest


def _describe_result(result: LazyResult, output: Path, form: str) -> dict[str, Any]:
    """Return a manifest's facts about a written product and its sources."""
    return {
        "inputs": {place: digest_place(place) for place in result.places},
        "auxiliary": {folder.name: folder.describe() for folder in result.folders},
        "output": {"path": output.name, "format": form, "digest": digest_tree(output)},
    }


def _check_output(output: Path, form: str | None, inputs: Sequence[str]) -> str:
    """Return the format of an output that may be written; nothing is there yet."""
    if output.exists():
        raise ConflictError(
            f"{output} exists already.", remedy="Remove it or write to another place."
        )
    refuse_inside(output, inputs)
    return choose_format(output, form)


def describe_step(processor: Processor, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest's facts about a step; parameters as JSON values."""
    return {
        "processor": processor.name,
        "version": processor.version,
        "citation": processor.citation,
        "parameters": json.loads(json.dumps(dict(parameters), default=str)),
    }


def open_source(place: str, filters: Mapping[str, Any] | None = None) -> LazyResult:
    """Open an input, or the part of it that `filters` (of `filter_product`) leave.

    Raises
    ------
    InvalidInputError
        If it is not a product, or the filters leave nothing of it.
    """
    from skerry.products.opening import open_product

    tree = open_product(place)
    other = tree.attrs.get("other_metadata") or {}
    missing = other.get("missing") or []
    if missing:
        log.warning("%s lacks %d parts: %s", tree.name, len(missing), ", ".join(missing)[:300])
    for damage in (other.get("unhealed") or [])[:3]:
        log.warning("%s: %s", tree.name, damage)
    if filters:
        from skerry.products.selecting.filtering import filter_product

        tree = filter_product(tree, **filters)
    return LazyResult(tree, (place,))


def digest_place(place: str) -> str | None:
    """Return the digest of an input's content; None for an address, whose bytes stay there."""
    if "://" in place:
        return None
    if not Path(place).exists():
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.")
    return digest_source(Path(place))


def name_product(output: Path) -> str:
    """Return a product's name: its file name without suffix."""
    return output.name.removesuffix(output.suffix) or output.name


def write_manifest(output: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a product next to it."""
    with make_aside(output.with_name(f"{output.name}.manifest.json"), replace=True) as aside:
        aside.write_text(json.dumps(manifest, indent=2), "utf-8")


def write_result(
    result: LazyResult,
    output: Path,
    form: str,
    *,
    replace: bool = False,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Compute a product and write it, whole or not at all, in place of an old one if asked.

    Raises
    ------
    ConflictError
        If something is there and is not to be replaced, or another writer makes it meanwhile.
    """
    link_sources(result.tree, result.places, output)
    report = progress or ignore_progress

    def report_writing(done: float, what: str) -> None:
        report(done, f"Writing {output.name}: {what}")

    with make_aside(output, replace=replace, parents=True) as aside:
        left_out = write_product(
            result.tree, aside, form=form, progress=report_writing, memory_bytes=memory_bytes
        )
    if left_out:
        log.warning("%s cannot hold %d variables: %s", form, len(left_out), shorten(left_out))
        log.info("left out: %s", ", ".join(left_out))


def digest_key(value: Mapping[str, Any]) -> str:
    """Return the digest of what a task depends on."""
    return digest_json(json.loads(json.dumps(dict(value), default=str, sort_keys=True)))
