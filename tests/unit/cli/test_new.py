"""`skerry new processor` makes a project whose own tests pass, and refuses names that cannot be."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from skerry.cli.new.command import new, write_project
from skerry.core.errors import ConflictError, InvalidInputError


def test_the_projects_own_tests_pass(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        new,
        ["processor", "lake-ice", "--folder", str(tmp_path / "project")],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "project", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_it_is_a_package_that_offers_its_processor(tmp_path: Path) -> None:
    write_project("lake-ice", tmp_path / "project")
    subprocess.run(
        ["uv", "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable],
        cwd=tmp_path / "project", check=True,
        env={"PATH": str(Path(sys.executable).parent), "HOME": str(tmp_path)},
    )  # fmt: skip
    [wheel] = (tmp_path / "project" / "dist").glob("lake_ice-*.whl")
    said = subprocess.run(
        [sys.executable, "-m", "skerry.cli", "process", "lake-ice", "--describe"],
        env={"PYTHONPATH": str(wheel), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "McFeeters" in said


@pytest.mark.parametrize("name", ["Lake", "lake_ice", "1-lake", "../lake", "lambda", "a" * 61, ""])
def test_names_that_no_module_can_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be a processor's name"):
        CliRunner().invoke(
            new, ["processor", "--folder", str(tmp_path / "x"), "--", name], catch_exceptions=False
        )
    assert not (tmp_path / "x").exists()


def test_a_known_processors_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="exists already"):
        CliRunner().invoke(new, ["processor", "turbidity"], catch_exceptions=False)


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match="not empty"):
        write_project("lake-ice", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
