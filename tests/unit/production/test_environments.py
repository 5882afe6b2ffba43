"""Environments: one digest, one real environment, built once; and Skerry's own wheel."""

import base64
import hashlib
import json
import socket
import subprocess
import sys
import zipfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from skerry.core.digests import digest_file
from skerry.core.errors import InvalidInputError
from skerry.core.settings import DATABASE_SECRETS
from skerry.production import environments, wheels
from skerry.production.environments import (
    STATED_VARIABLE,
    EnvironmentRefusedError,
    describe_environment,
    digest_environment,
    find_deviations,
    find_installed_lock,
    find_lock,
    find_python,
    refuse_other_environment,
    store_environment,
)
from skerry.production.wheels import (
    check_wheel,
    digest_package,
    list_package,
    package_folder,
    write_own_wheel,
)
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.object_places import open_objects


def make_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a tiny wheel with one module that knows its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={_hash(content.encode())},{len(content)}\n"
        for path, content in files.items()
    )
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return wheel


def _hash(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def run_python(python: Path, code: str) -> str:
    """Return what a line of Python prints in another environment."""
    return subprocess.run(
        [str(python), "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def small_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the platform's lock a tiny one whose only package lies in a folder, without network."""
    wheels = tmp_path / "index"
    wheels.mkdir()
    wheel = make_wheel(wheels, "tinydep")
    lock = tmp_path / "requirements.lock"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock.write_text(f"tinydep==1.0 \\\n    --hash=sha256:{digest}\n")
    monkeypatch.setattr(environments, "find_lock", lambda: lock)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    return lock


@pytest.mark.slow
def test_an_image_names_the_part_of_the_lock_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_installed_lock() == find_lock()
    part = tmp_path / "share" / "skerry" / "requirements.lock"
    part.parent.mkdir(parents=True)
    part.write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert find_installed_lock() == part


def test_own_wheel_is_the_package_and_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    wheel = write_own_wheel(first)
    assert digest_file(wheel) == digest_file(write_own_wheel(second))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "out")
    assert digest_package(tmp_path / "out" / "skerry") == digest_package()
    names = [name for name, _ in list_package(package_folder())]
    assert "core/digests.py" in names
    assert not [name for name in names if "__pycache__" in name or name == "requirements.lock"]


def test_everything_that_matters_changes_the_digest() -> None:
    running = describe_environment()
    assert running["lock"] == digest_file(find_lock())
    digests = {
        digest_environment(running),
        digest_environment({**running, "package": "1e20"}),
        digest_environment({**running, "lock": "1e20"}),
        digest_environment({**running, "python": "3.12"}),
        digest_environment(describe_environment({"a-1-py3-none-any.whl": "1e20"})),
    }
    assert len(digests) == 5


def test_a_process_of_another_environment_refuses_to_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_other_environment()
    installed = f"httpx-{version('httpx')}-py3-none-any.whl"
    own = describe_environment({installed: "blake3:1"}, image="lakes@sha256:1")
    monkeypatch.setenv(STATED_VARIABLE, json.dumps(own))
    refuse_other_environment()
    monkeypatch.setenv(STATED_VARIABLE, json.dumps({**own, "lock": "blake3:2", "python": "3.1"}))
    with pytest.raises(EnvironmentRefusedError, match="another lock and another python"):
        refuse_other_environment()


@pytest.mark.parametrize("wheel", ["httpx-0.0.1-py3-none-any.whl", "absent-1-py3-none-any.whl"])
def test_an_image_without_the_wheels_of_the_release_is_refused(
    wheel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = describe_environment({wheel: "blake3:1"})
    monkeypatch.setenv(STATED_VARIABLE, json.dumps(wanted))
    with pytest.raises(EnvironmentRefusedError, match="the release: another wheels"):
        refuse_other_environment()


def test_an_image_cannot_be_had_on_one_machine(tmp_path: Path) -> None:
    environment = describe_environment(image="lakes@sha256:1")
    with pytest.raises(EnvironmentRefusedError, match="processes of one machine"):
        find_python(DataFolder(tmp_path), environment, lambda _: None)


def test_a_changed_file_of_the_package_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("a = 1")
    before = digest_package(tmp_path)
    assert digest_package(tmp_path) == before
    module.write_text("a = 22")
    changed = digest_package(tmp_path)
    (tmp_path / "more.py").touch()
    assert len({before, changed, digest_package(tmp_path)}) == 3


def test_deviations_from_a_lock_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "Click==0.0.1 \\\n    --hash=sha256:00\nnot-installed==1 ; python_version >= '3.12'\n"
        "other==1 ; sys_platform == 'win32'\n"
    )
    named = find_deviations(lock)
    assert [item.split(" ")[0] for item in named] == ["click==0.0.1", "not-installed==1"]


@pytest.mark.slow
def test_a_package_that_changes_later_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("later==2\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_deviations(lock) == ["later==2 (has none)"]
    note = tmp_path / "later-2.dist-info" / "METADATA"
    note.parent.mkdir()
    note.write_text("Metadata-Version: 2.1\nName: later\nVersion: 2\n")
    assert find_deviations(lock) == []
    note.write_text("Metadata-Version: 2.1\nName: later\nVersion: 2.5\n")
    assert find_deviations(lock) == ["later==2 (has 2.5)"]
    lock.write_text("later==2.5\n")
    assert find_deviations(lock) == []


def test_an_environment_is_built_once_and_runs_its_own_skerry(
    small_lock: Path, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    extra = make_wheel(tmp_path, "extra", "2.0")
    environment = describe_environment({extra.name: digest_file(extra)})
    store_environment(open_objects(data), environment, {extra.name: extra.read_bytes()})
    text: list[str] = []
    python = find_python(data, environment, text.append)
    assert [line.partition(" ")[0] for line in text] == ["Building", "The"]
    assert python.parent.parent == data.environments / digest_environment(environment)
    assert run_python(python, "import extra, tinydep; print(extra.VERSION)") == "2.0"
    own = run_python(python, "import skerry; print(skerry.__file__)")
    assert digest_package(Path(own).parent) == environment["package"]
    marked = python.stat().st_mtime_ns
    assert find_python(data, environment, print).stat().st_mtime_ns == marked
    assert json.loads((python.parent.parent / "environment.json").read_text()) == environment


@pytest.mark.slow
def test_an_environment_is_built_where_uv_finds_no_python(
    small_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform may be started in any folder, with any PATH."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PATH", str(elsewhere))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(elsewhere))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    data = DataFolder(tmp_path / "data")
    data.create()
    extra = make_wheel(tmp_path, "extra", "2.0")
    environment = describe_environment({extra.name: digest_file(extra)})
    store_environment(open_objects(data), environment, {extra.name: extra.read_bytes()})
    python = find_python(data, environment, print)
    assert run_python(python, "import sys; print(sys.version)") == sys.version


@pytest.mark.slow
def test_a_build_that_nobody_wants_any_more_ends(
    small_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    environment = describe_environment()
    store_environment(open_objects(data), environment, {})
    text: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as index:  # takes a question, and answers none
        index.setblocking(False)
        monkeypatch.delenv("UV_NO_INDEX")
        monkeypatch.delenv("UV_FIND_LINKS")
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{index.getsockname()[1]}/")

        def stop_when_uv_waits() -> None:
            with suppress(BlockingIOError):
                index.accept()[0].close()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            find_python(data, environment, text.append, stop_when_uv_waits)
    assert len(text) == 1
    home = data.environments / digest_environment(environment)
    assert [path.name for path in data.environments.iterdir()] == [f"{home.name}.lock"]
    assert not [child for child in psutil.Process().children() if child.name() == "uv"]


def test_a_run_that_nobody_wants_waits_for_no_build(small_lock: Path, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    environment = describe_environment()

    def stop() -> None:
        raise KeyboardInterrupt

    with (
        hold_lock(data.environments / f"{digest_environment(environment)}.lock"),
        pytest.raises(KeyboardInterrupt),
    ):
        find_python(data, environment, print, stop)


def test_another_environment_that_is_not_kept_is_refused(small_lock: Path, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    with pytest.raises(EnvironmentRefusedError, match="differs from the running one"):
        find_python(data, {**describe_environment(), "package": "1e20"}, print)


def test_a_tampered_wheel_is_refused(small_lock: Path, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    extra = make_wheel(tmp_path, "extra")
    environment = describe_environment({extra.name: digest_file(extra)})
    store_environment(open_objects(data), environment, {extra.name: b"something else"})
    with pytest.raises(EnvironmentRefusedError, match="not the one that was approved"):
        find_python(data, environment, print)


@pytest.mark.slow
def test_a_tampered_wheel_of_skerry_is_refused(small_lock: Path, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    environment = describe_environment()
    store_environment(open_objects(data), environment, {})
    wheel_folder = data.objects / "environments" / digest_environment(environment)
    (own,) = wheel_folder.glob("skerry-*.whl")
    own.unlink()
    make_wheel(wheel_folder, "skerry", own.name.split("-")[1])
    with pytest.raises(EnvironmentRefusedError, match="not the one that was approved"):
        find_python(data, environment, print)
    assert not (data.environments / digest_environment(environment)).exists()


def test_the_running_environment_counts_while_digests_match(
    small_lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    monkeypatch.setattr(environments, "find_deviations", lambda _lock: [])
    assert find_python(data, describe_environment(), print) == Path(sys.executable)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"x"),
        ("a.whl", b"x"),
        ("a-1-py3-none-any.whl", b"no zip"),
        ("a-1-1/../../b-py3-none-any.whl", b"x"),
        ("a-1-py3-none-any/../../b.whl", b"x"),
        ("skerry-9-py3-none-any.whl", b"x"),
    ],
)
def test_what_is_not_a_wheel_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_wheel(name, content)
    assert repr(name) in caught.value.what


@pytest.mark.parametrize(
    "member",
    [
        "numpy/core.py", "Numpy/core.py", "skerry/core/scopes.py", "numpy.libs/a.so",
        "a-1.data/purelib/numpy/core.py", "a-1.data/purelib/b.pth", "a-1.data/scripts/python",
        "a-1.data/data/lib/python3.13/site-packages/sitecustomize.py", "a-1.Data/purelib/b.py",
        "a-1.dist-info/../numpy/core.py", "a/../numpy/core.py", "./numpy/core.py", "/tmp/a.py",
        "numpy\\core.py", "__pycache__/typing_extensions.cpython-313.pyc", "b.pth",
        "sitecustomize.py", "usercustomize/__init__.py", "numpy-2.dist-info/METADATA",
    ],
)  # fmt: skip
def test_a_wheel_brings_nothing_but_its_own(tmp_path: Path, member: str) -> None:
    wheel = make_wheel(tmp_path, "a", "1")
    check_wheel(wheel.name, wheel.read_bytes())
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(member, "")
    with pytest.raises(InvalidInputError) as caught:
        check_wheel(wheel.name, wheel.read_bytes())
    assert repr(member) in caught.value.what


def test_a_wheel_of_more_files_than_can_be_listed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The api lists them before anybody has approved the wheel."""
    monkeypatch.setattr(wheels, "_MOST_ENTRIES", 100)
    wheel = tmp_path / "other-1-py3-none-any.whl"
    for number in range(101):
        with zipfile.ZipFile(wheel, "w" if number == 0 else "a") as archive:
            archive.writestr(f"other/{number}" if number else "other-1.dist-info/WHEEL", "")
        if number == 99:
            check_wheel(wheel.name, wheel.read_bytes())
    with pytest.raises(InvalidInputError, match="more than 100 files"):
        check_wheel(wheel.name, wheel.read_bytes())


def test_what_uv_starts_does_not_know_the_platform_s_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "uv"
    program.write_text('#!/bin/sh\nenv > "$2"\n')
    program.chmod(0o700)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))
    monkeypatch.setenv("UV_CACHE_DIR", "kept")
    for name in (*DATABASE_SECRETS, "JUPYTERHUB_API_TOKEN", "SKERRY_TOKEN"):
        monkeypatch.setenv(name, "a-secret")
    environments._run_uv(lambda: None, str(tmp_path / "variables"))
    variables = (tmp_path / "variables").read_text()
    assert "UV_CACHE_DIR=kept" in variables
    assert "a-secret" not in variables
