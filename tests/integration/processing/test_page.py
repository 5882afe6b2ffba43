"""The page on processing runs as it stands: its commands, then its payload."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.products import open_product
from skerry.validation import validate_product

pytestmark = pytest.mark.long

PAGE = (Path(__file__).parents[3] / "platform" / "library" / "processing.md").read_text()


def find_block(language: str) -> str:
    (result,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(result)


def run_shell(lines: str, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines], cwd=folder, env=os.environ | {"PATH": path},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_and_the_payload_run(tmp_path: Path) -> None:
    lines = find_block("sh").replace(
        "skerry simulate s2-l2a .", "skerry simulate s2-l2a . --size 120"
    )
    run_shell(lines, tmp_path)
    (tmp_path / "water.yaml").write_text(find_block("yaml"))
    run_shell("skerry process --payload water.yaml", tmp_path)
    for name, variable in (("turbidity.zarr", "turbidity"), ("composite.nc", "b04")):
        product = open_product(tmp_path / "out" / name)
        report = validate_product(tmp_path / "out" / name, deep=True)
        assert report.clean, [item.findings for item in report.failed]
        assert int(product["measurements"][variable].count()) > 0
