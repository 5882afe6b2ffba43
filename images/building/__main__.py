"""Build the images, run each image's own tests inside it, and show their sizes.

``make images``, or ``make images ONLY=hub`` for one. ``BASE=`` names another base image.
"""

import argparse
import shutil
import subprocess
import sys
import time

from images.building.builders import Builder, NoBuilderError, find_builder
from images.building.facts import name_labels, name_tag
from images.building.following import BUILD, FailedError, follow
from images.building.reach import collect_settings
from images.building.sizes import Row, print_table
from images.building.subsets import ROOT

NAMES = ("analysis", "hub", "services")
_PLACE = "/opt/skerry/share/skerry/packages.cdx.json"


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
        labels = name_labels(chosen.base)
        names = [name for name in NAMES if chosen.only in {None, name}]
        rows = [_make(builder, name, labels, chosen) for name in names]
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    print_table(rows)
    return 0


def _make(builder: Builder, name: str, labels: dict[str, str], chosen: argparse.Namespace) -> Row:
    began = time.monotonic()
    tag = name_tag(chosen.registry, name)
    with collect_settings() as secrets:
        dockerfile = ROOT / "images" / name / "Dockerfile"
        command = builder.name_build(tag, dockerfile, {"BASE": chosen.base}, labels, secrets)
        follow(f"{tag}: built by {builder.name}", command, BUILD / f"{name}.log")
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
            follow(f"{tag}: its tests", command, BUILD / f"{name}.tests.log", shown=True)
    return Row(tag, builder.describe(tag), packages, seconds)


def build_wheel() -> None:
    """Build the one wheel that all images get; the same sources give the same bytes."""
    folder = BUILD / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        str(ROOT / ".venv/bin/uv"), "build", "--wheel", "--no-build-isolation", "--quiet",
        "--python", str(ROOT / ".venv/bin/python"), "--out-dir", str(folder),
    ]  # fmt: skip
    follow("Skerry's wheel", command, BUILD / "wheel.log")
    (folder / ".gitignore").unlink(missing_ok=True)


def _read_out(builder: Builder, opened: str) -> bytes:
    command = builder.name_run(opened, {}, ["cat", _PLACE])
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main())
