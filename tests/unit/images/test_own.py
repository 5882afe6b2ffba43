"""A repository's lock may add packages to the platform's, and change none."""

import subprocess
from pathlib import Path

import pytest
from images.building.own import RefusedError, choose_own, fetch_lock, leave_out_password

PLATFORM = "numpy==2.5.1 \\\n    --hash=sha256:aa\nxarray==2026.9.0 \\\n    --hash=sha256:bb\n"


def test_what_the_platform_has_is_not_installed_again() -> None:
    own = "# by uv\nnumpy==2.5.1 \\\n    --hash=sha256:aa\nlake_ice==1.0 \\\n    --hash=sha256:cc\n"
    assert choose_own(own, PLATFORM) == "lake_ice==1.0 \\\n    --hash=sha256:cc\n"


def test_packages_of_another_system_are_left_out() -> None:
    own = "pywin32==300 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n"
    assert choose_own(own, PLATFORM) == ""


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            "numpy==1.26.0 \\\n    --hash=sha256:aa\n",
            r"numpy 1\.26\.0 \(the platform has 2\.5\.1\)",
        ),
        ("lake-ice==1.0\n", "Without hashes .*lake-ice"),
        ("-e file:///tmp/x\n", "A line of the repository"),
        ("--index-url https://mirror/simple\n", "A line of the repository"),
    ],
)
def test_what_would_change_the_platform_or_is_not_pinned_is_refused(own: str, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        choose_own(own, PLATFORM)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "lakes"
    git("init", "--quiet", str(folder))
    (folder / "requirements.lock").write_text(PLATFORM)
    git("-C", str(folder), "add", ".")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    git("-C", str(folder), *identity, "commit", "--quiet", "-m", "Lock")
    return folder


def test_the_lock_of_a_commit_is_taken_not_what_lies_around(
    repository: Path, tmp_path: Path
) -> None:
    (repository / "requirements.lock").write_text("changed")
    commit, lock = fetch_lock(str(repository), "HEAD", tmp_path / "source")
    assert lock == PLATFORM
    assert len(commit) == 40


@pytest.mark.parametrize("commit", ["nosuch", "--all", "HEAD~5"])
def test_a_commit_that_is_not_there_is_named(commit: str, repository: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=commit):
        fetch_lock(str(repository), commit, tmp_path / "source")


def test_a_repository_without_a_lock_is_told_how_to_make_it(
    repository: Path, tmp_path: Path
) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    git("-C", str(repository), "rm", "--quiet", "--force", "requirements.lock")
    git("-C", str(repository), *identity, "commit", "--quiet", "-m", "No lock")
    with pytest.raises(RefusedError, match="uv pip compile"):
        fetch_lock(str(repository), "HEAD", tmp_path / "source")


def test_an_address_is_shown_without_its_password() -> None:
    assert leave_out_password("https://ann:secret@git.example/l.git") == "https://git.example/l.git"
    assert leave_out_password("../lakes") == "../lakes"


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
