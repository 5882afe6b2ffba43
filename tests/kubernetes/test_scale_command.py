"""The command that measures how far the platform carries, with a handful of everything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.scale.curves import draw_curves
from tests.scale.figures import Figure, read_figures, write_figures
from tests.scale.run import PARTS

pytestmark = [pytest.mark.long, pytest.mark.postgresql, pytest.mark.kubernetes]
_FEW = {"people": 6, "clusters": 4, "attempts": 4, "runs": 10}


@pytest.mark.timeout(1200)
def test_each_part_measures(tmp_path: Path) -> None:
    output, plot = tmp_path / "scale.json", tmp_path / "scale.svg"
    few = [word for name, count in _FEW.items() for word in (f"--{name}", str(count))]
    command = [sys.executable, "-m", "tests.scale.run", "--brief", *few]
    done = subprocess.run(
        [*command, "--output", str(output), "--plot", str(plot)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    figures = read_figures(output)
    assert {figure.part for figure in figures} == set(PARTS)
    assert all(figure.value >= 0 for figure in figures)
    assert json.loads(output.read_text())["machines"].keys() == set(PARTS)
    assert plot.read_text().count("<polyline") == 12


def test_figures_of_other_parts_stay(tmp_path: Path) -> None:
    path = tmp_path / "scale.json"
    write_figures([Figure("servers", "logins a second", 10, 5, "1/s")], path)
    write_figures([Figure("apis", "connections", 1, 7, "")], path)
    again = Figure("servers", "logins a second", 20, 6, "1/s")
    write_figures([again], path)
    assert read_figures(path) == [Figure("apis", "connections", 1, 7, ""), again]


def test_a_curve_stands_between_its_axes(tmp_path: Path) -> None:
    path = tmp_path / "scale.svg"
    low, high = ((Figure("servers", "memory of the hub", at, at, "MB")) for at in (0, 1000))
    draw_curves([high, low], path)
    assert 'points="52.0,182.0 328.0,105.0"' in path.read_text()
    assert ">2000<" in path.read_text(), "there is room for names above it"
