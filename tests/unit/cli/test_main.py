import errno
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from skerry.cli import main
from skerry.core.errors import NotFoundError


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Return what makes a function the command `probe`."""

    def add(body: Callable[[], None]) -> None:
        monkeypatch.setitem(main.COMMANDS, "probe", (f"{__name__}:probe", "A probe."))
        module = sys.modules.setdefault(__name__, type(sys)(__name__))
        monkeypatch.setattr(module, "probe", click.command()(body), raising=False)

    return add


def test_known_error_is_two_lines_and_its_exit_code(
    register: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise NotFoundError("There is no item 'x'.", remedy="Look with 'skerry search'.")

    register(fail)
    assert main.run(["probe"]) == 2
    output = capsys.readouterr()
    assert output.err == "Error: There is no item 'x'.\nLook with 'skerry search'.\n"
    assert output.out == ""


def test_a_disk_that_says_no_is_not_a_fault_of_ours(
    register: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/out.zarr")

    register(fail)
    assert main.run(["probe"]) == 2
    output = capsys.readouterr().err
    assert "/data/out.zarr" in output
    assert "No space left on device" in output
    assert "fault in Skerry" not in output


def test_a_database_without_room_is_not_a_fault_of_ours(
    register: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(statement: str) -> None:
        with create_engine("sqlite://", poolclass=NullPool).begin() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 3")
            connection.exec_driver_sql("CREATE TABLE t (content)")
            connection.exec_driver_sql(statement)

    register(lambda: fill("INSERT INTO t VALUES (zeroblob(99999))"))
    assert main.run(["probe"]) == 1
    assert capsys.readouterr().err.startswith("Error: The disk with the database's file is full.")

    register(lambda: fill("INSERT INTO nowhere VALUES (1)"))
    assert main.run(["probe"]) == 1
    assert "fault in Skerry" in capsys.readouterr().err


def test_unknown_error_is_one_line_and_its_trace_in_a_log(
    register: Callable[[Callable[[], None]], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path,
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by nought")

    register(fail)
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("SKERRY_DATA", str(tmp_path))
    monkeypatch.delenv("SKERRY_DEBUG", raising=False)
    assert main.run(["probe"]) == 1
    error = capsys.readouterr().err
    log = tmp_path / "logs" / "cli.log"
    assert error.splitlines()[0] == "Error: ZeroDivisionError: by nought"
    assert str(log) in error
    assert "Traceback" not in error
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600

    monkeypatch.setenv("SKERRY_DEBUG", "1")
    assert main.run(["probe"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_is_quiet(
    register: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    register(interrupt)
    assert main.run(["probe"]) == 130
    assert capsys.readouterr().err.strip() == "Interrupted."


def test_exit_code_of_a_command_is_kept(register: Callable[[Callable[[], None]], None]) -> None:
    def leave() -> None:
        click.get_current_context().exit(7)

    register(leave)
    assert main.run(["probe"]) == 7


def test_wrong_words_are_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["no-such-command"]) == 2
    assert "No such command" in capsys.readouterr().err
    assert main.run(["status", "--no-such-option"]) == 2


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([name, "--help"]) == 0
    output = capsys.readouterr().out
    assert "Example" in output
    assert f"skerry {name}" in output


@pytest.mark.parametrize("name", ["items", "collections", "runs", "clusters", "jobs", "releases"])
def test_plurals_work_and_are_not_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([name, "--help"]) == 0
    assert main.run(["--help"]) == 0
    assert f"\n  {name} " not in capsys.readouterr().out
    for words in ([name, "--json", "--help"], [name, "list", "--help"]):
        assert main.run(words) == 0
        assert "list [OPTIONS]" in capsys.readouterr().out


def test_help_imports_no_command_and_little_else() -> None:
    program = (
        "import sys, contextlib, io\n"
        "from skerry.cli.main import run\n"
        "with contextlib.redirect_stdout(io.StringIO()) as text: code = run(['--help'])\n"
        "assert code == 0 and 'up ' in text.getvalue()\n"
        "slow = {'numpy', 'xarray', 'dask', 'rich', 'httpx', 'sqlalchemy', 'jupyterhub'}\n"
        "print(sorted(slow & set(sys.modules)),"
        " sorted(name for name in sys.modules if name.startswith('skerry.cli.')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[] ['skerry.cli.main', 'skerry.cli.presenting']"
