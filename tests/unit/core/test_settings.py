"""What the environment says about workers and addresses, and what is refused."""

import pytest

from skerry.core.errors import InvalidInputError
from skerry.core.programs import listen
from skerry.core.settings import HOST_VARIABLE, read_internal_url, read_listen_host, read_switch
from skerry.core.worker_settings import WorkerSettings


def test_a_worker_carries_out_two_runs_without_limits() -> None:
    expected = WorkerSettings(runs=2, all_runs=None, memory=None, prepared=True)
    assert WorkerSettings.from_environment() == expected


def test_settings_of_a_worker_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_WORKER_RUNS", "8")
    monkeypatch.setenv("SKERRY_ALL_RUNS", "20")
    monkeypatch.setenv("SKERRY_RUN_MEMORY_MB", "1500")
    monkeypatch.setenv("SKERRY_PREPARED_RUN", "off")
    read = WorkerSettings.from_environment()
    assert read == WorkerSettings(runs=8, all_runs=20, memory=1_500_000_000, prepared=False)


def test_one_worker_takes_no_more_than_all_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_ALL_RUNS", "1")
    assert WorkerSettings.from_environment().runs == 1


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "9" * 20])
@pytest.mark.parametrize(
    "variable",
    ["SKERRY_WORKER_RUNS", "SKERRY_ALL_RUNS", "SKERRY_RUN_MEMORY_MB", "SKERRY_PREPARED_RUN"],
)
def test_wrong_numbers_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInputError, match=f"{variable} is '{value}'"):
        WorkerSettings.from_environment()


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2", "::1"])
def test_parts_listen_on_loopback_unless_another_address_is_named(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(HOST_VARIABLE, raising=False)
    assert read_listen_host() == "127.0.0.1"
    monkeypatch.setenv(HOST_VARIABLE, address)
    assert read_listen_host() == address


@pytest.mark.parametrize("text", ["localhost", "everywhere", "10.0.0.0/8", "1.2.3.4:80", " "])
def test_what_is_no_address_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST_VARIABLE, text)
    with pytest.raises(InvalidInputError, match=HOST_VARIABLE):
        read_listen_host()


def test_a_socket_listens_where_it_is_told() -> None:
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        with listen(0, host=host, shared=True) as listening:
            assert listening.getsockname()[0] == host
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
    with pytest.raises(InvalidInputError, match=r"no address 192\.0\.2\.1"):
        listen(0, host="192.0.2.1")


def test_pods_may_have_another_address_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_internal_url("https://skerry.example") == "https://skerry.example"
    monkeypatch.setenv("SKERRY_INTERNAL_URL", "http://door.skerry.svc/")
    assert read_internal_url("https://skerry.example") == "http://door.skerry.svc"
    monkeypatch.setenv("SKERRY_INTERNAL_URL", "door.skerry.svc")
    with pytest.raises(InvalidInputError, match="SKERRY_INTERNAL_URL is 'door"):
        read_internal_url("https://skerry.example")


def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_switch("SKERRY_OF_TEST") is True
    assert read_switch("SKERRY_OF_TEST", default="off") is False
    monkeypatch.setenv("SKERRY_OF_TEST", "yes")
    with pytest.raises(InvalidInputError, match="SKERRY_OF_TEST is 'yes'"):
        read_switch("SKERRY_OF_TEST")
