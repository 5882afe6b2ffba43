"""Outputs of cells: kept up to the limits, with a notice in the place of the rest."""

import os
from pathlib import Path
from typing import Any

import pytest

from skerry.core.errors import InvalidInputError
from skerry.core.worker_settings import RunLimits
from skerry.production.capped_outputs import CellOutputs, merge_streams
from skerry.production.run_log import RunLog


@pytest.fixture
def outputs(tmp_path: Path) -> CellOutputs:
    descriptor = os.open(tmp_path / "log.txt", os.O_WRONLY | os.O_CREAT)
    return CellOutputs(RunLog(descriptor, 10_000), RunLimits(log=10_000, cell=100, notebook=250))


def message(kind: str, **content: Any) -> dict[str, Any]:
    return {"msg_type": kind, "header": {"msg_type": kind}, "content": content}


def stream(text: str) -> dict[str, Any]:
    return message("stream", name="stdout", text=text)


def admit(outputs: CellOutputs, given: dict[str, Any]) -> list[str]:
    return [str(entry["content"].get("text", entry["msg_type"])) for entry in outputs.admit(given)]


def test_a_cell_keeps_its_share_and_one_notice(outputs: CellOutputs) -> None:
    outputs.begin_cell()
    assert admit(outputs, stream("a" * 60)) == ["a" * 60]
    output, notice = admit(outputs, stream("b" * 60))
    assert output == "b" * 40
    assert "SKERRY_RUN_CELL_MB" in notice
    assert admit(outputs, stream("c")) == []
    assert admit(outputs, message("display_data", data={"image/png": "x" * 50})) == []


def test_a_picture_is_kept_whole_or_not_at_all(outputs: CellOutputs) -> None:
    outputs.begin_cell()
    picture = message("display_data", data={"image/png": "x" * 101})
    (notice,) = admit(outputs, picture)
    assert "left out" in notice


def test_a_notebook_has_a_limit_too(outputs: CellOutputs) -> None:
    lengths = []
    for _ in range(4):
        outputs.begin_cell()
        lengths.append(len(admit(outputs, stream("a" * 90))[0]))
    assert lengths == [90, 90, 70, 0]


def test_errors_and_what_is_not_an_output_always_pass(outputs: CellOutputs) -> None:
    outputs.begin_cell()
    admit(outputs, stream("a" * 500))
    error = message("error", ename="ValueError", evalue="no water", traceback=["x" * 50_000])
    assert outputs.admit(error) == [error]
    assert len(error["content"]["traceback"][0]) == 20_000
    status = message("status", execution_state="idle")
    assert outputs.admit(status) == [status]


def test_a_display_that_is_cleared_counts_anew(outputs: CellOutputs) -> None:
    outputs.begin_cell()
    for _ in range(10):
        assert admit(outputs, stream("a" * 90)) == ["a" * 90]
        outputs.admit(message("clear_output", wait=True))


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "99999"])
def test_limits_are_settings_and_bad_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SKERRY_RUN_CELL_MB", "2")
    assert RunLimits.from_environment().cell == 2_000_000
    monkeypatch.setenv("SKERRY_RUN_LOG_MB", text)
    with pytest.raises(InvalidInputError, match="SKERRY_RUN_LOG_MB"):
        RunLimits.from_environment()


def make_stream(text: str, name: str = "stdout") -> dict[str, str]:
    return {"output_type": "stream", "name": name, "text": text}


def test_pieces_of_a_stream_are_joined_as_a_terminal_shows_them() -> None:
    picture = {"output_type": "display_data", "data": {}}
    cell = {
        "outputs": [
            make_stream("1 %\r2"), make_stream(" %\rdone\nnext\r\n"), make_stream("bad", "stderr"),
            make_stream("good"), picture, make_stream("a"), make_stream("b"),
        ]
    }  # fmt: skip
    merge_streams(cell)
    assert cell["outputs"] == [
        make_stream("done\nnext\n"), make_stream("bad", "stderr"), make_stream("good"), picture,
        make_stream("ab"),
    ]  # fmt: skip
    markdown: dict[str, Any] = {"cell_type": "markdown"}
    merge_streams(markdown)
    assert markdown == {"cell_type": "markdown"}
