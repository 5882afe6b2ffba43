"""Debian's containerd for a node: its own folder, its own socket, and an end that leaves nothing.

containerd's containers outlive it on purpose, so whoever ends it must end them first.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.cluster.foreign_images import PAUSE, build_pause
from tests.cluster.network import ENTER, PODS, run
from tests.platform_process import wait_until

_READY_S = 60.0
_PROGRAMS = "/usr/lib/cni"
_CONFIG = """\
version = 2
root = "{folder}/containerd"
state = "{folder}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{programs}"
    conf_dir = "{folder}/cni"
"""


@dataclass
class Containerd:
    """A running containerd.

    Attributes
    ----------
    folder
        All its files.
    """

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "containerd.sock"

    def call(self, *words: str) -> str:
        """Call ``ctr`` on the images and containers of Kubernetes."""
        return run("ctr", "--address", str(self.socket), "--namespace", "k8s.io", *words)

    def take_image(self, archive: Path, name: str) -> str:
        """Import an image, and name it by its digest, too; return the digest."""
        self.call("images", "import", str(archive))
        [found] = [
            line.split() for line in self.call("images", "list").splitlines()
            if line.split()[0] == name
        ]  # fmt: skip
        digest = found[2]
        base = name.rpartition(":")[0]
        self.call("images", "tag", "--force", name, f"{base}@{digest}")
        return digest

    def end_containers(self) -> None:
        """Kill what runs, and remove it, with the processes that look after it."""
        for name in self.call("tasks", "list", "--quiet").split():
            with suppress(RuntimeError):  # it has ended by itself
                self.call("tasks", "delete", "--force", name)
        for name in self.call("containers", "list", "--quiet").split():
            with suppress(RuntimeError):
                self.call("containers", "delete", name)
        shims = self._find_shims()
        for shim in shims:
            with suppress(psutil.NoSuchProcess):
                shim.kill()
        psutil.wait_procs(shims, timeout=10)

    def _find_shims(self) -> list[psutil.Process]:
        return [
            process for process in psutil.process_iter(["cmdline"])
            if (process.info["cmdline"] or [""])[0].endswith("containerd-shim-runc-v2")
            and str(self.socket) in process.info["cmdline"]
        ]  # fmt: skip


@contextmanager
def run_containerd(folder: Path) -> Iterator[Containerd]:
    """Start containerd in the node's network; end it, its containers and its mounts after."""
    containerd = Containerd(folder)
    _write_configuration(containerd)
    with (folder / "containerd.log").open("wb") as log:
        process = subprocess.Popen(
            [*ENTER, "setpriv", "--pdeathsig", "KILL",
             "containerd", "--config", str(folder / "containerd.toml")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: _answers(containerd), _READY_S, "containerd answers")
        _import_pause(containerd)
        yield containerd
    finally:
        with suppress(RuntimeError):  # where it has crashed, its containers are orphans: below
            containerd.end_containers()
        process.terminate()
        process.wait(30)
        unmount_below(folder)


def _answers(containerd: Containerd) -> bool:
    with suppress(RuntimeError):
        return bool(containerd.call("version"))
    return False


def _write_configuration(containerd: Containerd) -> None:
    folder = containerd.folder
    text = _CONFIG.format(folder=folder, socket=containerd.socket, pause=PAUSE, programs=_PROGRAMS)
    (folder / "containerd.toml").write_text(text)
    addresses = {
        "type": "host-local", "dataDir": str(folder / "addresses"),
        "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}],
    }  # fmt: skip
    # A cable for each pod and no bridge: what goes from pod to pod is routed, as between nodes, so
    # that answers of a Service come back the same way on any kernel.
    network = {
        "cniVersion": "0.4.0", "name": "pods",
        "plugins": [
            {"type": "ptp", "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }  # fmt: skip
    (folder / "cni").mkdir()
    (folder / "cni" / "pods.conflist").write_text(json.dumps(network))


def _import_pause(containerd: Containerd) -> None:
    archive = containerd.folder / "pause.tar"
    build_pause(archive)
    containerd.take_image(archive, PAUSE)


def unmount_below(folder: Path) -> None:
    """Take down all mounts in a folder, and those of the network name spaces of its pods."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted(mounts, reverse=True):
        if Path(place).is_relative_to(folder):
            run("umount", "--lazy", place)
