"""Build the images, run each image's own tests inside it, and show their sizes.

``make images``, or ``make images ONLY=hub`` for one. ``BASE=`` names another base image.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from images.building.builders import Builder, NoBuilderError, find_builder
from images.building.facts import name_arguments, name_tag
from images.building.reach import collect_settings
from images.building.sizes import Row, print_table
from images.building.subsets import ROOT

NAMES = ("analysis", "hub", "services")
BUILD = ROOT / "build" / "images"
_PLACE = "/opt/skerry/share/skerry/packages.cdx.json"


class FailedError(Exception):
    """A step failed; the message says which, and where its log is."""


def main() -> int:
    """Build and test; return the exit code."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("--only", choices=NAMES, help="one image alone")
    parser.add_argument("--base", default="python:3.13-slim-bookworm", help="with Python 3.13")
    parser.add_argument("--registry", default="localhost", help="first part of the images' names")
    parser.add_argument("--untested", action="store_true", help="do not run the images' tests")
    chosen = parser.parse_args()
    try:
        builder = find_builder()
    except NoBuilderError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        build_wheel()
        rows = [_make(builder, name, chosen) for name in NAMES if chosen.only in {None, name}]
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    print_table(rows)
    return 0


def _make(builder: Builder, name: str, chosen: argparse.Namespace) -> Row:
    began = time.monotonic()
    tag = name_tag(chosen.registry, name)
    with collect_settings() as secrets:
        dockerfile = ROOT / "images" / name / "Dockerfile"
        command = builder.name_build(tag, dockerfile, name_arguments(chosen.base), secrets)
        _follow(f"{tag}: built by {builder.name}", command, BUILD / f"{name}.log")
    seconds = time.monotonic() - began
    with builder.open_container(tag) as opened:
        packages = BUILD / f"{name}.cdx.json"
        packages.write_bytes(_read_out(builder, opened))
        if not chosen.untested:
            tests = {
                ROOT / "tests" / "images" / "inside": "/tests",
                ROOT / "images" / name / "requirements.lock": "/requirements.lock",
            }
            command = builder.name_run(opened, tests, ["python", "/tests/run.py", name])
            _follow(f"{tag}: its tests", command, BUILD / f"{name}.tests.log", shown=True)
    return Row(tag, builder.describe(tag), packages, seconds)


def build_wheel() -> None:
    """Build the one wheel that all images get; the same sources give the same bytes."""
    folder = BUILD / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        str(ROOT / ".venv/bin/uv"), "build", "--wheel", "--no-build-isolation", "--quiet",
        "--python", str(ROOT / ".venv/bin/python"), "--out-dir", str(folder),
    ]  # fmt: skip
    _follow("Skerry's wheel", command, BUILD / "wheel.log")
    (folder / ".gitignore").unlink(missing_ok=True)


def _read_out(builder: Builder, opened: str) -> bytes:
    command = builder.name_run(opened, {}, ["cat", _PLACE])
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _follow(title: str, command: Sequence[str], log: Path, *, shown: bool = False) -> None:
    """Run a command in the repository; its steps are shown, all that it says is in a log."""
    print(f"\033[1m{title}\033[0m", file=sys.stderr, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    last: list[str] = []
    with (
        log.open("w") as kept,
        subprocess.Popen(
            command, cwd=ROOT, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        for line in process.stdout or ():
            kept.write(line)
            last = [*last[-11:], line]
            if shown or line.startswith(("STEP ", "[1/", "[2/", "Step ")) or _is_step(line):
                print(f"  {line.rstrip()[:150]}", file=sys.stderr, flush=True)
    if process.returncode:
        said = "" if shown else "".join(last)
        raise FailedError(f"{said}{title}: failed. All that was said: {log}")


def _is_step(line: str) -> bool:
    """Return whether a line of docker's begins a step: ``#7 [build 2/9] RUN ...``."""
    number, _, rest = line.partition(" ")
    return number[:1] == "#" and number[1:].isdigit() and rest.startswith("[")


if __name__ == "__main__":
    sys.exit(main())
