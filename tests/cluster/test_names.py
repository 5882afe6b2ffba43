"""Names of Services, asked for as pods ask."""

import socket
import struct

import pytest
from tests.cluster.network import HOST
from tests.cluster.node import RealNode

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

_A, _AAAA = 1, 28


def _ask(name: str, kind: int = _A) -> tuple[int, list[str]]:
    """Return the code of the answer, and the addresses in it."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = labels + b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.settimeout(10)
        door.sendto(struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question, (HOST, 53))
        answer = door.recv(4096)
    number, flags, _, count = struct.unpack(">HHHH", answer[:8])
    assert number == 7
    records = answer[12 + len(question) :]
    addresses = [socket.inet_ntoa(records[16 * at + 12 : 16 * at + 16]) for at in range(count)]
    return flags & 0xF, addresses


def test_a_service_has_an_address_and_others_have_none(node: RealNode) -> None:
    assert _ask("kubernetes.default.svc.cluster.local") == (0, ["10.96.0.1"])
    assert _ask("kubernetes.default.svc.cluster.local", _AAAA) == (0, [])
    assert _ask("nobody.default.svc.cluster.local") == (3, [])
    assert _ask("example.org") == (3, [])
    assert _ask("kubernetes.default.svc.cluster.local.example.org") == (3, [])
