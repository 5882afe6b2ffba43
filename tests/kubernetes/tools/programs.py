"""Builds Kubernetes' own programs for tests: `python -m tests.kubernetes.tools.programs [folder]`.

The module beside this file pins Kubernetes and etcd. Kubernetes names its staging modules at
v0.0.0, so the module puts the version of each that was published with it in their place. Without
the stamps, the programs would call themselves v0.0.0-master. Programs of other projects have
modules of their own: another pin there does not make all of Kubernetes be built again.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.tools.go_programs import GoProgram, find_go

_MODULE = Path(__file__).parent
_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
_SETTINGS = {"CGO_ENABLED": "0"}


def _read_version() -> str:
    """Return the version of Kubernetes that the module pins, such as ``v1.36.1``."""
    found = re.search(
        r"^require k8s\.io/kubernetes (v\S+)", (_MODULE / "go.mod").read_text(), re.MULTILINE
    )
    assert found is not None
    return found[1]


VERSION = _read_version()
_MAJOR, _MINOR, _ = VERSION.removeprefix("v").split(".")
_STAMPS = {
    f"{package}.{name}": value
    for package in _STAMPED
    for name, value in {"gitVersion": VERSION, "gitMajor": _MAJOR, "gitMinor": _MINOR}.items()
}


def _kubernetes(name: str) -> GoProgram:
    package = f"k8s.io/kubernetes/cmd/{name}"
    return GoProgram(name, package, _MODULE, "kubernetes", _STAMPS, _SETTINGS)


ETCD = GoProgram("etcd", "go.etcd.io/etcd/server/v3", _MODULE, "etcd", {}, _SETTINGS)
API_SERVER = _kubernetes("kube-apiserver")
CONTROLLERS = _kubernetes("kube-controller-manager")
SCHEDULER = _kubernetes("kube-scheduler")
KUBECTL = _kubernetes("kubectl")
KWOK = GoProgram("kwok", "sigs.k8s.io/kwok/cmd/kwok", _MODULE / "kwok", "kwok", {}, _SETTINGS)

_HELM_MODULE = Path(__file__).parents[2] / "helm" / "tools"
_HELM_PACKAGES = "helm.sh/helm/v3/pkg"
# Built plainly, Helm would render charts for a Kubernetes of years ago, which they refuse.
_HELM_STAMPS = {
    f"{_HELM_PACKAGES}/{package}.k8sVersion{part}": value
    for package in ("chartutil", "lint/rules")
    for part, value in {"Major": _MAJOR, "Minor": _MINOR}.items()
}
HELM = GoProgram(
    "helm", "helm.sh/helm/v3/cmd/helm", _HELM_MODULE, "helm", _HELM_STAMPS, _SETTINGS
)  # fmt: skip

KUBELET = _kubernetes("kubelet")
PROXY = _kubernetes("kube-proxy")

ENFORCER = GoProgram(
    "kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
    Path(__file__).parents[2] / "cluster" / "enforcer", "kube-router", {}, _SETTINGS,
)  # fmt: skip

_SERVERS = (ETCD, API_SERVER, CONTROLLERS, SCHEDULER)
BY_HAND = {"tests/cluster": (*_SERVERS, KUBELET, PROXY, KUBECTL, HELM, ENFORCER)}
"""What folders of tests need that run only when somebody names them."""
NEEDED = {
    "tests/kubernetes": (*_SERVERS, KUBECTL, KWOK),
    "tests/helm": (ETCD, API_SERVER, HELM),
}
"""What the tests of a folder need."""


def list_programs(*folders: str) -> list[GoProgram]:
    """Return what the tests of folders need; of all that `NEEDED` names if no folder is named."""
    sets = NEEDED | BY_HAND
    needed = {program.locate(): program for folder in folders or NEEDED for program in sets[folder]}
    return list(needed.values())


def are_there(*folders: str) -> bool:
    """Return whether all of them have been built."""
    return all(program.locate().exists() for program in list_programs(*folders))


def main(*folders: str) -> int:
    """Build what is missing; return the exit code."""
    if unknown := set(folders) - NEEDED.keys() - BY_HAND.keys():
        print(f"No tests are in {min(unknown)!r}: name {' or '.join(NEEDED)}.", file=sys.stderr)
        return 2
    if find_go() is None and not are_there(*folders):
        print("Go is missing: tests on Kubernetes will be left out.", file=sys.stderr)
        return 0
    try:
        for program in list_programs(*folders):
            program.build()
    except subprocess.CalledProcessError as error:
        print(f"A program was not built: Go ended with {error.returncode}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
