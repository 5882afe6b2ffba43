"""Checks whether a part answers: with a request, or by the age of the file that it touches."""

import math
import ssl
from pathlib import Path

import httpx

from skerry.cli.supervisor.record import PartRecord
from skerry.core.beats import BEAT_S, measure_silence

_TIMEOUT_S = 2.0
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The parts speak plain HTTP: to read all certificates costs more than the request."""


def ask_health(record: PartRecord, *, address: str | None = None) -> str | None:
    """Return None if the part answers, else the fault in a few words.

    Parameters
    ----------
    record
        The part.
    address
        Ask here instead of at its public address.
    """
    if record.beat is not None:
        return _look_at_beat(record.beat)
    url = address or record.health
    return _request(url) if url else "has no health address"


def _request(url: str) -> str | None:
    try:
        # Loopback never goes through a proxy that the environment names.
        response = httpx.get(url, timeout=_TIMEOUT_S, trust_env=False, verify=_NO_CERTIFICATES)
    except httpx.TimeoutException:
        return f"does not answer within {_TIMEOUT_S:.0f} s"
    except httpx.HTTPError:
        return "does not answer"
    return None if response.status_code == httpx.codes.OK else f"answers {response.status_code}"


def _look_at_beat(beat: Path) -> str | None:
    age = measure_silence(beat)
    if math.isinf(age):
        return "has not reported yet"
    return None if age < BEAT_S else f"has not reported for {age:.0f} s"
