import json
from pathlib import Path

import pytest

from skerry.client.inputs import Input, list_inputs, record_input

ITEM = {"collection": "s2", "id": "a", "properties": {"skerry:digest": "1e20aa"}}


def test_inputs_of_a_run_are_noted_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "r1" / "2"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SKERRY_RUN_FOLDER", str(folder))
    monkeypatch.setenv("SKERRY_RUN", "r1")
    monkeypatch.setenv("SKERRY_EPOCH", "2")
    assert list_inputs() == []
    for item in (ITEM, ITEM | {"id": "b"}, ITEM):
        record_input(item)
    assert list_inputs() == [Input("s2", "a", "1e20aa"), Input("s2", "b", "1e20aa")]
    assert json.loads((folder / "inputs.json").read_text())[0] == {
        "collection": "s2",
        "item": "a",
        "digest": "1e20aa",
    }
    assert [path.name for path in folder.iterdir()] == ["inputs.json"]


def test_outside_of_a_run_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_RUN_FOLDER", raising=False)
    record_input(ITEM)
    assert list_inputs() == []
