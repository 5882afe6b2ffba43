"""What holds for each image, seen from inside as its own account."""

import json
import os
import pwd
import re
import shutil
import ssl
import subprocess
import sys
import unittest
from importlib import metadata
from pathlib import Path

from files import survey

NAME = sys.argv[1]
PACKAGES = Path("/opt/skerry/lib/python3.13/site-packages")
OWN_FOLDER = {"analysis": "/home/skerry", "hub": "/srv/jupyterhub", "services": "/data"}[NAME]
MOST_MB = {"analysis": 2000, "hub": 700, "services": 1700}[NAME]
COMPILERS = (
    "cc",
    "gcc",
    "g++",
    "c++",
    "clang",
    "ld",
    "as",
    "make",
    "cargo",
    "go",
    "rustc",
    "gfortran",
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(path: Path) -> dict[str, str]:
    """Return version by name, of packages that belong on Linux."""
    from packaging.requirements import Requirement

    pins = re.findall(r"^(\S+==.*?) \\$", path.read_text(), re.MULTILINE)
    wanted = map(Requirement, pins)
    return {
        canonical(one.name): str(one.specifier).removeprefix("==")
        for one in wanted
        if one.marker is None or one.marker.evaluate()
    }


def list_installed() -> dict[str, str]:
    return {
        canonical(found.metadata["Name"]): found.version
        for found in metadata.distributions(path=[str(PACKAGES)])
    }


class TheAccount(unittest.TestCase):
    def test_it_is_an_ordinary_one(self) -> None:
        self.assertEqual((os.getuid(), os.getgid()), (1000, 1000))
        self.assertEqual(pwd.getpwuid(1000).pw_name, "skerry")

    def test_it_can_write_into_its_own_folder_alone(self) -> None:
        others = [path for path in survey().writable if not f"{path}/".startswith(f"{OWN_FOLDER}/")]
        self.assertEqual(others, [])

    def test_no_program_gives_it_the_rights_of_another(self) -> None:
        self.assertEqual(survey().raised, [])

    def test_temporary_files_have_a_place(self) -> None:
        place = Path("/tmp/skerry-test")
        place.write_text("1")
        place.unlink()


class TheContent(unittest.TestCase):
    def test_versions_are_those_of_its_lock_and_of_the_whole_lock(self) -> None:
        installed = list_installed()
        installed.pop("skerry")
        self.assertEqual(installed, read_lock(Path("/requirements.lock")))
        whole = read_lock(PACKAGES / "skerry/requirements.lock")
        self.assertEqual(installed, {name: whole[name] for name in installed})

    def test_the_list_of_packages_is_complete(self) -> None:
        listed = json.loads(Path("/opt/skerry/share/skerry/packages.cdx.json").read_text())
        self.assertEqual(listed["bomFormat"], "CycloneDX")
        named = {canonical(part["name"]): part["version"] for part in listed["components"]}
        self.assertEqual(named, list_installed())

    def test_every_package_is_whole(self) -> None:
        for name in list_installed():
            for file in metadata.files(name) or ():
                if file.suffix == ".py":
                    self.assertTrue(Path(str(file.locate())).exists(), f"{name}: {file}")

    def test_no_compiler_is_left(self) -> None:
        self.assertEqual([name for name in COMPILERS if shutil.which(name)], [])

    def test_no_secret_and_no_address_of_packages_is_left(self) -> None:
        self.assertEqual(survey().secrets, [])
        told = [name for name in os.environ if name.startswith(("PIP_", "UV_", "NPM_CONFIG"))]
        self.assertEqual(told, [])

    def test_its_size(self) -> None:
        self.assertLess(survey().size / 1e6, MOST_MB)


class Programs(unittest.TestCase):
    def test_skerry_starts(self) -> None:
        said = subprocess.run(
            ["skerry", "--version"], check=True, text=True, capture_output=True
        ).stdout
        self.assertIn(metadata.version("skerry"), said)

    def test_its_first_process_is_an_init(self) -> None:
        subprocess.run(["tini", "--version"], check=True, capture_output=True)

    def test_certificates_of_the_web_are_there(self) -> None:
        self.assertGreater(len(ssl.create_default_context().get_ca_certs()), 50)

    def test_health_says_what_does_not_answer(self) -> None:
        part = {"analysis": "server", "hub": "hub", "services": "worker"}[NAME]
        asked = subprocess.run(["skerry-health", part], check=False, text=True, capture_output=True)
        self.assertEqual(asked.returncode, 1)
        self.assertRegex(asked.stdout, "does not answer|not ready")
