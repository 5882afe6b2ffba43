"""`make images` says what is wrong, and gives a build nothing that would stay in a layer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from images.building.builders import Builder
from images.building.facts import LABEL, name_labels
from images.building.reach import collect_settings, write_variables
from images.building.subsets import ROOT


def make_images(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "images.building", "--only", "hub"],
        cwd=ROOT, env={"PATH": str(tmp_path), "HOME": str(tmp_path), **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_a_builder_a_sentence_says_so(tmp_path: Path) -> None:
    result = make_images(tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("Images need docker, podman or buildah")
    assert result.stderr.count("\n") == 1


def test_a_builder_that_answers_with_an_error_does_not_count(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    assert make_images(tmp_path).returncode == 2


def test_a_chosen_builder_that_is_none_is_named(tmp_path: Path) -> None:
    result = make_images(tmp_path, SKERRY_IMAGE_BUILDER="kaniko")
    assert result.returncode == 2
    assert "'kaniko'" in result.stderr


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_settings_of_the_machine_are_mounted_and_are_no_arguments(name: str) -> None:
    command = Builder(name).name_build(
        "localhost/x:1", Path("Dockerfile"), {"BASE": "base"}, name_labels("base"),
        {"pip.conf": Path("/p")},
    )  # fmt: skip
    assert "--secret=id=pip.conf,src=/p" in command
    arguments = {word.split("=")[1] for word in command if word.startswith("--build-arg=")}
    assert arguments == {"BASE"}
    labels = {word.split("=")[1] for word in command if word.startswith("--label=")}
    assert labels == {f"{LABEL}.{fact}" for fact in ("base.name", "created", "revision", "version")}


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_tests_of_an_image_get_no_network_and_a_closed_root(name: str) -> None:
    command = Builder(name).name_run("x", {Path("/t"): "/tests"}, ["python", "/tests/run.py"])
    assert {"--read-only", "--network=none", "--cap-drop=ALL", "--rm"} <= set(command)
    assert "--volume=/t:/tests:ro" in command
    assert command[-3:] == ["x", "python", "/tests/run.py"]


def test_variables_are_written_for_a_shell() -> None:
    text = "".join(
        write_variables({
            "PIP_INDEX_URL": "https://me:it's@mirror/simple", "UV_CACHE_DIR": "/mine",
            "SKERRY_TOKEN": "secret", "https_proxy": "http://proxy:3128",
        })
    )  # fmt: skip
    said = subprocess.run(
        ["bash", "-c", f"{text}\nprintenv PIP_INDEX_URL https_proxy"],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said == "https://me:it's@mirror/simple\nhttp://proxy:3128\n"
    assert "secret" not in text
    assert "/mine" not in text


def test_a_file_of_settings_loses_what_holds_on_this_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "pip.conf"
    own.write_text("[global]\ncert = /mine.pem\nindex-url = https://mirror/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    with collect_settings() as secrets:
        assert secrets["pip.conf"].read_text() == "[global]\nindex-url = https://mirror/simple\n"
        kept = list(secrets.values())
    assert not kept[-1].exists()
    assert own.exists()
