"""The library's entry page runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "platform" / "library" / "README.md").read_text()
MOST_SECONDS = 240


def test_every_block_runs_from_an_empty_folder(tmp_path: Path) -> None:
    """Shell blocks share a folder, Python blocks also their names, in the page's order."""
    blocks = re.findall(r"```(sh|python)\n(.*?)```", PAGE, flags=re.DOTALL)
    assert {language for language, _ in blocks} == {"sh", "python"}
    program = ["import subprocess"]
    for language, text in blocks:
        if language == "sh":
            command = ["bash", "-euo", "pipefail", "-c", text]
            program.append(f"subprocess.run({command!r}, check=True)")
        else:
            program.append(text)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert "none has findings" in done.stdout
    assert {"turbidity.zarr", "scene.zarr", "scene.nc", "part.cogs"} <= {
        item.name for item in tmp_path.iterdir()
    }
