"""Last words reach the executor, from a process of this machine and from a container."""

from pathlib import Path

import pytest

from skerry.production.executors.last_words import (
    FILE_VARIABLE,
    REASON_VARIABLE,
    LastWords,
    leave_words,
    read_reason,
    read_words,
)
from skerry.production.orders import AttemptResult


@pytest.mark.parametrize("given", [False, True], ids=["its own file", "a file from outside"])
def test_they_are_written_beside_or_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    path = tmp_path / "words"
    if given:
        path.touch()
    number = path.stat().st_ino if given else None
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    leave_words(3, "no water")
    assert read_words(path) == LastWords(exit_code=3, message="no water")
    assert number in (None, path.stat().st_ino), "a container's file is mounted there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reason_that_has_not_arrived_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REASON_VARIABLE, str(tmp_path / "reason"))
    assert read_reason() == "Ended from outside."
    (tmp_path / "reason").write_text("")
    assert read_reason() == "Ended from outside."
    (tmp_path / "reason").write_text("Cancelled.")
    assert read_reason() == "Cancelled."


@pytest.mark.parametrize("letter", ["x", '"', "é", "\n", "😀"])
def test_a_long_detail_is_cut_to_what_a_container_may_say(letter: str) -> None:
    result = AttemptResult(status="failed", detail=letter * 50_000)
    words = LastWords(exit_code=10, message=result.write()).model_dump_json()
    assert len(words.encode()) <= 4096
    kept = AttemptResult.model_validate_json(LastWords.model_validate_json(words).message)
    assert kept.status == "failed"
    assert kept.detail is not None
    assert kept.detail.startswith(letter * 500)
    short = AttemptResult(status="failed", detail=letter * 500)
    assert AttemptResult.model_validate_json(short.write()) == short
