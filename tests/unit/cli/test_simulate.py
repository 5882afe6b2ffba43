"""`skerry simulate`: what it prints, and the values that it refuses before it begins."""

import json
from pathlib import Path

import pytest

from skerry.cli.main import run
from skerry.cli.simulate import MOST_SEED
from skerry.core.errors import InvalidInputError
from skerry.simulate import kinds


@pytest.mark.slow
def test_json_says_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["s2-l2a", str(tmp_path), "--size", "60", "--seed", str(MOST_SEED), "--json"]
    assert run(["simulate", *words]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert Path(result["path"]).is_dir()
    assert (result["kind"], result["seed"]) == ("s2-l2a", MOST_SEED)
    # a stage that takes seconds is told again, with per cent
    assert {line.partition(",")[0] for line in output.err.splitlines()} == {"s2-l2a: Simulating"}


@pytest.mark.parametrize("seed", [-5, MOST_SEED + 1])
def test_seeds_are_32_bits(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kinds.MOST_SEED == MOST_SEED
    assert run(["simulate", "s2-l2a", str(tmp_path), "--seed", str(seed)]) == 2
    assert f"{seed} is not in the range" in capsys.readouterr().err
    with pytest.raises(InvalidInputError, match=f"seed is {seed}"):
        kinds.simulate_product("olci-efr", tmp_path, day="2026-05-01", seed=seed)
    assert list(tmp_path.iterdir()) == []
