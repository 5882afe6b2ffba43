"""The names of Services, as pods ask for them: a small DNS server beside the control plane.

A cluster has CoreDNS for this. It is no package of Debian, and nothing of Skerry depends on more
than addresses of Services and of the pods behind them, which the API server knows.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
from tests.cluster.control_plane import ControlPlane
from tests.cluster.network import HOST

DOMAIN = "cluster.local"
_PORT = 53
_LIFE_S = 2
_A, _INTERNET = 1, 1
_ANSWER, _MISSING = 0x8580, 3
"""Flags of an answer by who knows; the code for a name that nobody has."""
_POINTER_TO_QUESTION = 0xC00C
_HEADER_LENGTH = 12


@contextmanager
def answer_names(server: ControlPlane) -> Iterator[None]:
    """Answer pods while the block lasts."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door,
        server.log_in() as owner,
    ):
        door.bind((HOST, _PORT))
        door.settimeout(0.2)
        ending = threading.Event()
        thread = threading.Thread(target=_serve, args=(door, server, owner, ending))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


def _serve(
    door: socket.socket, server: ControlPlane, owner: httpx.Client, ending: threading.Event
) -> None:
    while not ending.is_set():
        with suppress(TimeoutError, httpx.TransportError):  # whoever asked asks again
            asked, sender = door.recvfrom(4096)
            door.sendto(_answer(asked, server, owner), sender)


def _answer(asked: bytes, server: ControlPlane, owner: httpx.Client) -> bytes:
    name, kind, end = _read_question(asked)
    own = server.own_names.get(name)
    addresses = [own] if own else find_addresses(owner, name)
    code = _MISSING if addresses is None else 0
    given = [] if addresses is None or kind != _A else addresses
    header = asked[:2] + struct.pack(">HHHHH", _ANSWER | code, 1, len(given), 0, 0)
    records = b"".join(
        struct.pack(">HHHIH", _POINTER_TO_QUESTION, _A, _INTERNET, _LIFE_S, 4)
        + socket.inet_aton(address)
        for address in given
    )
    return header + asked[_HEADER_LENGTH:end] + records


def _read_question(asked: bytes) -> tuple[str, int, int]:
    """Return the name asked for, the kind of record, and where the question ends."""
    labels, place = [], _HEADER_LENGTH
    while length := asked[place]:
        labels.append(asked[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    [kind] = struct.unpack(">H", asked[place + 1 : place + 3])
    return ".".join(labels).lower(), kind, place + 5


def find_addresses(owner: httpx.Client, name: str) -> list[str] | None:
    """Return the addresses behind a name of a Service, or of one of its pods; None if nobody's.

    Examples of names are ``hub.skerry.svc.cluster.local`` and
    ``skerry-worker-0.skerry-worker.skerry.svc.cluster.local``.
    """
    host, found, rest = name.partition(f".svc.{DOMAIN}")
    *pods, service, namespace = host.split(".") if "." in host else ("", "")
    if not found or rest or len(pods) > 1 or not service:
        return None
    answer = owner.get(f"/api/v1/namespaces/{namespace}/services/{service}")
    if answer.status_code != httpx.codes.OK:
        return None
    address = answer.json()["spec"].get("clusterIP", "None")
    if address != "None" and not pods:
        return [address]
    ends = _list_ends(owner, namespace, service)
    return ends.get(pods[0]) if pods else [item for group in ends.values() for item in group]


def _list_ends(owner: httpx.Client, namespace: str, service: str) -> dict[str, list[str]]:
    """Return the addresses of a Service's pods that are ready, by the pods' own host names."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    own = {"labelSelector": f"kubernetes.io/service-name={service}"}
    found: dict[str, list[str]] = {}
    for piece in owner.get(path, params=own).raise_for_status().json()["items"]:
        for end in piece.get("endpoints") or []:
            if end.get("conditions", {}).get("ready", True):
                found.setdefault(end.get("hostname", ""), []).extend(end["addresses"])
    return found
