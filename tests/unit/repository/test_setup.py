"""Set-up trusts a program that it finds only when the program runs."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).parents[3] / "platform" / "find_uv.sh"
WHEEL = "uv-1-py3-none-any.whl"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout that has nothing but the script and a lock that pins a tiny uv."""
    wheel = tmp_path / "wheels" / WHEEL
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        program = zipfile.ZipInfo("uv-1.data/scripts/uv")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, "#!/bin/sh\necho uv 1 from the lock\n")
        archive.writestr("uv-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 1\n")
        archive.writestr("uv-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("uv-1.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    root = tmp_path / "check out"
    (root / "platform").mkdir(parents=True)
    shutil.copy(SCRIPT, root / "platform")
    (root / "requirements.lock").write_text(
        f"tzdata==1 \\\n    --hash=sha256:0\nuv==1 \\\n    --hash=sha256:{digest}\nwheel==1\n"
    )
    return root


def put_program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(text)
    program.chmod(0o755)


def put_shims(tmp_path: Path) -> Path:
    """Return a folder with a uv and a python3 that fail as pyenv's shims do."""
    for name in ("uv", "python3"):
        text = f"#!/bin/sh\necho 'pyenv: {name}: command not found' >&2\nexit 127\n"
        put_program(tmp_path / "shims", name, text)
    return tmp_path / "shims"


def find_uv(checkout: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    return subprocess.run(
        ["bash", str(checkout / "platform" / "find_uv.sh")],
        env={
            "PATH": path,
            "HOME": str(checkout),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(checkout.parent / "wheels"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_uv_behind_a_shim_that_fails_is_taken(checkout: Path, tmp_path: Path) -> None:
    put_program(tmp_path / "true programs", "uv", "#!/bin/sh\necho uv 1\n")
    result = find_uv(checkout, put_shims(tmp_path), tmp_path / "true programs")
    assert result.stdout.strip() == str(tmp_path / "true programs" / "uv")


def test_a_python_behind_a_shim_that_fails_installs_the_pinned_uv(
    checkout: Path, tmp_path: Path
) -> None:
    put_program(tmp_path / "bin", "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    result = find_uv(checkout, put_shims(tmp_path), tmp_path / "bin")
    assert result.returncode == 0, result.stderr
    uv = Path(result.stdout.strip())
    assert uv == checkout / "build" / "uv" / "bin" / "uv"
    output = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout
    assert output == "uv 1 from the lock\n"
    # The next set-up finds it again, without a Python.
    assert find_uv(checkout, tmp_path / "shims").stdout == result.stdout


def test_a_package_other_than_the_locked_is_refused(checkout: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(checkout.parent / "wheels" / WHEEL, "a") as archive:
        archive.writestr("uv/extra.py", "")
    put_program(tmp_path / "bin", "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    result = find_uv(checkout, put_shims(tmp_path), tmp_path / "bin")
    assert result.returncode == 1
    assert "Install uv" in result.stderr


def test_where_nothing_runs_the_remedy_is_told(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "mkdir", "awk", "cp"):
        (tools / name).symlink_to(str(shutil.which(name)))
    result = subprocess.run(
        [str(shutil.which("bash")), str(checkout / "platform" / "find_uv.sh")],
        env={"PATH": f"{put_shims(tmp_path)}:{tools}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Install uv" in result.stderr
