"""What can be read from the Dockerfiles, without building them."""

import re
from pathlib import Path

import pytest
from images.building.subsets import ROOT

DOCKERFILES = [ROOT / "images" / name / "Dockerfile" for name in ("analysis", "hub", "services")]


def last_stage(path: Path) -> str:
    return path.read_text().rpartition("\nFROM ")[2]


def test_an_own_image_keeps_the_account_and_the_programs_of_its_base() -> None:
    text = (ROOT / "images/own/Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${ANALYSIS}", "${ANALYSIS}"]
    assert not re.search(
        r"^(?:USER|RUN|CMD|ENTRYPOINT)", text.rpartition("\nFROM ")[2], re.MULTILINE
    )


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_each_stands_on_the_base_that_its_builder_names(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert "ARG BASE=python:3.13-slim-bookworm\n" in text


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_its_last_stage_is_an_account_an_init_and_a_health_command(path: Path) -> None:
    stage = last_stage(path)
    assert re.findall(r"^USER (.*)$", stage, re.MULTILINE) == ["1000:1000"]
    assert '\nENTRYPOINT ["tini", "-g", "--"]\n' in stage
    assert 'CMD ["skerry-health"]\n' in stage
    assert not re.search(r"^(?:ADD|VOLUME) ", path.read_text(), re.MULTILINE)
    labels = re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", stage)
    assert set(labels) == {"title", "description", "licenses"}, "the others are of a commit"


@pytest.mark.parametrize(
    "path",
    [path for path in (ROOT / "images").rglob("*") if path.is_file() and path.suffix != ".pyc"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_file_names_an_index_of_packages(path: Path) -> None:
    told = re.findall(
        r"(?:index-url|extra-index-url|find-links|registry)[ =]+\S*://", path.read_text()
    )
    assert told == []


def test_a_build_sees_only_what_it_needs() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!images/", "!build/images/wheel/", "!package.json", "!package-lock.json",
    }  # fmt: skip
