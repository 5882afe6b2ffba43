"""A backup of a platform at work, restored elsewhere, answers the same."""

from pathlib import Path
from typing import Any

import pytest
from tests.platform_process import RunningPlatform, start_platform

from skerry.simulate import simulate_s2_l2a

pytestmark = pytest.mark.long

PARTS = ["api", "maps", "hub"]


def ask(platform: RunningPlatform) -> dict[str, Any]:
    """Return what a platform answers, without its own address."""
    with platform.http(platform.token) as client:
        pages = {
            path: client.get(path)
            for path in (
                "/services/api/stac/collections",
                "/services/api/stac/search?limit=100",
                "/services/api/stac/search?bbox=-180,-90,180,90&limit=100",
                "/services/api/production/releases",
            )
        }
        items = pages["/services/api/stac/search?limit=100"].json()["features"]
        thumbnails = [item["assets"]["thumbnail"]["href"] for item in items]
        answers = {path: page.text.replace(platform.url, "") for path, page in pages.items()}
        assert all(page.is_success for page in pages.values())
        return answers | {
            href.replace(platform.url, ""): client.get(href).content for href in thumbnails
        }


def test_a_platform_is_backed_up_at_work_and_answers_the_same_elsewhere(tmp_path: Path) -> None:
    scene = simulate_s2_l2a(tmp_path / "scenes", size=120, seed=3)
    platform = start_platform(tmp_path / "data", parts=PARTS)
    try:
        platform.run("import", str(scene))
        result = platform.run("backup", str(tmp_path / "kept"), "--data", str(tmp_path / "data"))
        assert "1 of them copied now" in result.stdout
        again = platform.run("backup", str(tmp_path / "kept"), "--data", str(tmp_path / "data"))
        assert "0 of them copied now" in again.stdout
        refused = platform.run(
            "restore", str(tmp_path / "kept"), "--data", str(tmp_path / "data"), check=False
        )
        assert refused.returncode == 2
        assert "already runs" in refused.stderr
        before = ask(platform)
    finally:
        platform.stop()
    platform.run("restore", str(tmp_path / "kept"), "--data", str(tmp_path / "again"))
    restored = start_platform(tmp_path / "again", parts=PARTS)
    try:
        assert ask(restored) == before
    finally:
        restored.stop()
