import json
from pathlib import Path

import pytest

from skerry.client.inputs import Input, list_inputs, record_input, write_json

ITEM = {"collection": "s2", "id": "a", "properties": {"skerry:digest": "1e20aa"}}


def test_inputs_of_a_run_are_noted_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_RUN_FOLDER", str(tmp_path))
    assert list_inputs() == []
    for item in (ITEM, ITEM | {"id": "b"}, ITEM):
        record_input(item)
    assert list_inputs() == [Input("s2", "a", "1e20aa"), Input("s2", "b", "1e20aa")]
    assert json.loads((tmp_path / "inputs.json").read_text())[0] == {
        "collection": "s2",
        "item": "a",
        "digest": "1e20aa",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["inputs.json"]


def test_outside_of_a_run_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_RUN_FOLDER", raising=False)
    record_input(ITEM)
    assert list_inputs() == []


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
