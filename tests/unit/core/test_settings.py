"""What the environment says about a worker, and what is refused."""

import pytest

from skerry.core.errors import InvalidInputError
from skerry.core.settings import WorkerSettings


def test_a_worker_carries_out_two_runs_without_limits() -> None:
    assert WorkerSettings.from_environment() == WorkerSettings(runs=2, all_runs=None, memory=None)


def test_settings_of_a_worker_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_WORKER_RUNS", "8")
    monkeypatch.setenv("SKERRY_ALL_RUNS", "20")
    monkeypatch.setenv("SKERRY_RUN_MEMORY_MB", "1500")
    read = WorkerSettings.from_environment()
    assert read == WorkerSettings(runs=8, all_runs=20, memory=1_500_000_000)


def test_one_worker_takes_no_more_than_all_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_ALL_RUNS", "1")
    assert WorkerSettings.from_environment().runs == 1


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "9" * 20])
@pytest.mark.parametrize(
    "variable", ["SKERRY_WORKER_RUNS", "SKERRY_ALL_RUNS", "SKERRY_RUN_MEMORY_MB"]
)
def test_wrong_numbers_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInputError, match=f"{variable} is '{value}'"):
        WorkerSettings.from_environment()
