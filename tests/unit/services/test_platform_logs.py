"""Logs of parts: for administrators, from a byte on."""

import httpx
import pytest
from tests.served_api import ServedApi

from skerry.services import platform_logs


def test_a_log_is_followed_by_its_bytes(api: ServedApi, alice: httpx.Client) -> None:
    log = api.data.logs / "worker.log"
    log.write_text("first é\n")
    answer = alice.get("platform/logs/worker")
    assert answer.text == "first é\n"
    following = answer.headers["x-next"]
    assert following == str(len("first é\n".encode()))
    assert alice.get("platform/logs/worker", params={"from": following}).text == ""
    with log.open("a") as more:
        more.write("second\n")
    assert alice.get("platform/logs/worker", params={"from": following}).text == "second\n"
    log.write_text("anew\n")
    assert alice.get("platform/logs/worker", params={"from": "999"}).text == "anew\n"
    assert alice.get("platform/logs").json() == {"parts": ["worker"]}


def test_long_logs_come_in_pieces(
    api: ServedApi, alice: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_logs, "_MOST_BYTES", 4)
    (api.data.logs / "hub.log").write_text("0123456789")
    pieces, place = [], "0"
    while True:
        answer = alice.get("platform/logs/hub", params={"from": place})
        if not answer.text:
            break
        pieces.append(answer.text)
        place = answer.headers["x-next"]
    assert pieces == ["0123", "4567", "89"]


def test_only_administrators_read_logs(anonymous: httpx.Client, reader: httpx.Client) -> None:
    assert anonymous.get("platform/logs/hub").status_code == 401
    assert reader.get("platform/logs/hub").status_code == 403
    assert reader.get("platform/logs").status_code == 403


@pytest.mark.parametrize(("part", "status"), [("none", 404), ("..%2fowner", 404), ("a..b", 422)])
def test_nothing_else_is_read(alice: httpx.Client, part: str, status: int) -> None:
    answer = alice.get(f"platform/logs/{part}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert alice.get("platform/logs/hub?from=-1").status_code == 422
