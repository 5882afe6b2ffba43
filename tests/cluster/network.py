"""A network of its own for a node: a name space of Linux, joined to this machine by one cable.

The node and its pods are there; this machine is their way to anything else, and they have no way
out of it. Nothing of the machine's own network is changed but two routes, which go with the cable.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

SPACE = "skerry-node"
"""The name of the name space."""
_CABLE = "skerry-node0"

HOST = "10.99.0.2"
"""This machine, as the node and its pods reach it."""
NODE = "10.99.0.1"
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/24"
METADATA = "169.254.169.254"
"""Where a cloud hands out credentials to whoever asks. Here a page answers, beyond the node."""
_CLOUD = "skerry-cloud"
_CLOUD_SIDES = ("169.254.100.1", "169.254.100.2")
ENTER_CLOUD = ("nsenter", f"--net=/run/netns/{_CLOUD}")
ENTER = ("nsenter", f"--net=/run/netns/{SPACE}")
"""Begins a command that shall run there. `ip netns exec` would hide the control groups."""


@contextmanager
def join_network() -> Iterator[None]:
    """Make the name space; remove it, and the cable with it, after the block.

    Raises
    ------
    RuntimeError
        If it is there already.
    """
    if SPACE in run("ip", "netns", "list").split():
        raise RuntimeError(
            f"The network {SPACE!r} is there: another node runs, or one was killed. If none runs, "
            f"remove it: ip netns delete {SPACE}"
        )
    with _name_space(SPACE), _name_space(_CLOUD):
        _connect()
        _connect_cloud()
        yield


@contextmanager
def _name_space(name: str) -> Iterator[None]:
    run("ip", "netns", "add", name)
    try:
        yield
    finally:
        run("ip", "netns", "delete", name)


def _connect() -> None:
    run("ip", "link", "add", _CABLE, "type", "veth", "peer", "name", "node0", "netns", SPACE)
    run("ip", "address", "add", f"{HOST}/24", "dev", _CABLE)
    run("ip", "link", "set", _CABLE, "up")
    inside = ("ip", "-n", SPACE)
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "add", f"{NODE}/24", "dev", "node0")
    run(*inside, "link", "set", "node0", "up")
    run(*inside, "route", "add", "default", "via", HOST)
    for addresses in (SERVICES, PODS):
        run("ip", "route", "add", addresses, "via", NODE)
    run(*ENTER, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")


def _connect_cloud() -> None:
    """Put the metadata address behind the node, in a name space of its own."""
    near, far = _CLOUD_SIDES
    inside, cloud = ("ip", "-n", SPACE), ("ip", "-n", _CLOUD)
    run(*inside, "link", "add", "cloud0", "type", "veth", "peer", "name", "cloud1", "netns", _CLOUD)
    run(*inside, "address", "add", f"{near}/30", "dev", "cloud0")
    run(*inside, "link", "set", "cloud0", "up")
    run(*cloud, "link", "set", "lo", "up")
    run(*cloud, "address", "add", f"{METADATA}/32", "dev", "lo")
    run(*cloud, "address", "add", f"{far}/30", "dev", "cloud1")
    run(*cloud, "link", "set", "cloud1", "up")
    run(*cloud, "route", "add", "default", "via", near)
    run(*inside, "route", "add", f"{METADATA}/32", "via", far)


def run(*command: str, **options: object) -> str:
    """Carry out a command and return what it prints.

    Raises
    ------
    RuntimeError
        If it fails; it says what the command said.
    """
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {ended.stderr.strip() or ended.stdout.strip()}")
    return ended.stdout
