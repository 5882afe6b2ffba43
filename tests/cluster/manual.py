"""Commands of the documentation, carried out as they stand there, in a folder like the repository.

Where a page says ADDRESS, the charts of the two other projects are served from this machine.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.network import ENTER
from tests.helm.rendering import ADDED, CHART, SUB_CHARTS, Chart, merge
from tests.kubernetes.tools.programs import HELM, KUBECTL
from tests.served_handler import serve_handler

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
OPERATING = ROOT / "platform" / "operating-on-kubernetes.md"
_LIMIT_S = 900
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OF_TEAM = "--values our.yaml"
_OF_TRIAL = "--values helm/skerry/values/trial.yaml --values mine.yaml"
"""The pages name the values of a trial so, in place of a team's own."""


@dataclass(frozen=True)
class Manual:
    """A shell for commands of the documentation.

    Attributes
    ----------
    folder
        Where the commands are carried out: the chart is there, and ``mine.yaml``.
    config
        The kubeconfig of somebody who may do all.
    repository
        The address of the charts of the other projects.
    """

    folder: Path
    config: Path
    repository: str

    @property
    def chart(self) -> Chart:
        """The chart that the commands install."""
        return Chart(self.folder / "helm" / "skerry", is_whole=True)

    def write_values(self, values: Mapping[str, Any]) -> None:
        """Write what an operator adds to the values of a trial."""
        (self.folder / "mine.yaml").write_text(yaml.safe_dump(merge(ADDED["trial"], values)))

    def carry_out(self, command: str) -> str:
        """Carry out one command; return what it prints."""
        done = subprocess.run(
            ["bash", "-ec", self._adapt(command)], cwd=self.folder, env=self._environment,
            capture_output=True, text=True, check=False, timeout=_LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, command: str) -> Iterator[None]:
        """Let a command run while the block lasts, in the node's network: its ports are free."""
        process = subprocess.Popen(
            [*ENTER, "bash", "-ec", f"exec {self._adapt(command)}"],
            cwd=self.folder, env=self._environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _adapt(self, command: str) -> str:
        return command.replace("ADDRESS", self.repository).replace(_OF_TEAM, _OF_TRIAL)

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "HOME": str(self.folder),
                "KUBECONFIG": str(self.config)}  # fmt: skip


def read_block(page: Path, part: str) -> list[str]:
    """Return the commands of the block of a page that has this part; a comment is none."""
    [block] = [block for block in _BLOCK.findall(page.read_text()) if part in block]
    lines = block.replace("\\\n", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def read_command(page: Path, beginning: str) -> str:
    """Return the command within a sentence of a page that begins so."""
    [command] = re.findall(rf"`({re.escape(beginning)}[^`]*)`", page.read_text())
    return str(command)


@contextmanager
def open_manual(folder: Path, config: Path) -> Iterator[Manual]:
    """Make the folder, and serve the charts of the other projects while the block lasts.

    Raises
    ------
    RuntimeError
        If these charts are not at hand.
    """
    if not SUB_CHARTS:
        raise RuntimeError(
            "The sub-charts are missing: fetch zero-to-jupyterhub and dask-gateway beside the "
            "repository, and name their charts' folders in SKERRY_SUB_CHARTS, separated by a colon"
        )
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for program in (HELM, KUBECTL):
        (programs / program.name).symlink_to(program.locate())
    shutil.copytree(CHART, folder / "helm" / "skerry")
    with ExitStack() as stack:
        address = stack.enter_context(_serve(folder / "repository"))
        manual = Manual(folder, config, address)
        for place in SUB_CHARTS:
            manual.carry_out(f"helm package '{place}' --destination repository")
        manual.carry_out(f"helm repo index repository --url {address}")
        yield manual


@contextmanager
def _serve(folder: Path) -> Iterator[str]:
    folder.mkdir()
    handler = partial(_Silent, directory=str(folder))
    with serve_handler(handler) as port:
        yield f"http://127.0.0.1:{port}"


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        """Say nothing: the tests tell what was done."""
