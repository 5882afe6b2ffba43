"""An attempt of a run, to which a platform grants its folder."""

import json
from pathlib import Path

import httpx
import pytest


class RunGrants:
    """Answers a run's requests for a grant as the api does, and counts them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[dict[str, object]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Grant the folder that is asked for, and create it."""
        body = json.loads(request.content)
        self.asked.append(body)
        prefix = f"runs/{body['run']}/{body['epoch']}/"
        (self.root / prefix).mkdir(parents=True, exist_ok=True)
        grant = {
            "id": "g1", "mode": "write", "prefix": prefix, "root": f"{self.root.as_uri()}/",
            "expires": "2100-01-01T00:00:00Z",
        }  # fmt: skip
        return httpx.Response(201, json=grant)


@pytest.fixture
def run_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunGrants:
    monkeypatch.setenv("SKERRY_RUN", "r1")
    monkeypatch.setenv("SKERRY_EPOCH", "2")
    return RunGrants(tmp_path)
