import pytest

from skerry.core.patience import RUN_S, find_patience, set_patience


def test_a_run_is_patient_and_so_is_whom_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_RUN", raising=False)
    monkeypatch.setenv("SKERRY_PATIENCE_S", "0")
    assert find_patience() == 0
    set_patience(RUN_S)
    assert find_patience() == RUN_S
    set_patience(0)
    assert find_patience() == 0
    monkeypatch.setenv("SKERRY_RUN", "r1")
    assert find_patience() == RUN_S
