"""What other processes of the same user see of a program's environment."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows it")

SECRET = "postgresql://skerry:pa=ss@host/skerry"
PROGRAM = """
import os, subprocess, sys
from skerry.core.hidden_variables import hide_variables
hide_variables({"SECRET_URL", "ABSENT"})
print(os.environ["SECRET_URL"], flush=True)
child = [sys.executable, "-c", "import os; print(os.environ['SECRET_URL'])"]
print(subprocess.run(child, check=True, capture_output=True, text=True).stdout.strip(), flush=True)
sys.stdin.read()
"""


def test_a_secret_is_in_the_program_and_not_in_what_others_see() -> None:
    environment = {"FIRST": "1", "SECRET_URL": SECRET, "SECRET_URL_MORE": "shown", "LAST": "z"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(2)] == [SECRET, SECRET]
        seen = psutil.Process(process.pid).environ()
        assert SECRET.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        process.communicate("")
    assert seen.pop("SECRET_URL") == "*" * len(SECRET)
    assert environment.items() - {("SECRET_URL", SECRET)} <= seen.items()
