"""The checks that ask a part whether it can work."""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from skerry.cli.doctor.asking import SilentError, ask
from skerry.cli.doctor.findings import Finding, describe_error
from skerry.core.time import utc_now
from skerry.core.version import VERSION

_CLOCKS_DIFFER_S = 30
_BEHIND = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE)


def look_at_part(name: str, address: str) -> Iterator[Finding]:
    """Ask a part what it lacks; `address` is its ``/ready``, or its ``/health`` if it has none."""
    try:
        answer = ask(address)
    except SilentError as error:
        yield describe_error(name, error)
        return
    facts = read_object(answer)
    if missing := facts.get("missing"):
        yield Finding(
            check=name, state="broken", detail=_list_reasons(missing),
            remedy="It goes on by itself when that is mended: see what is said of it here, and in "
            "its log.",
        )  # fmt: skip
    elif not answer.is_success:
        yield _describe_status(name, answer)
    elif limited := facts.get("limited"):
        yield Finding(
            check=name, state="attention", detail=f"It works in part. {_list_reasons(limited)}",
            remedy="It does the rest by itself when that is mended.",
        )  # fmt: skip
    else:
        yield Finding(check=name, detail=f"answers in {answer.elapsed.total_seconds():.1f} s")


def _describe_status(name: str, answer: httpx.Response) -> Finding:
    if answer.status_code in _BEHIND:
        what = f"Who stands in front of it answers {answer.status_code}: it is not ready, or away."
        remedy = "Read its log; kubectl describe pod says why a pod does not start."
    else:
        what = f"It answers with status {answer.status_code}."
        remedy = "Check that the address leads to this platform, and read the log of the part."
    return Finding(check=name, state="broken", detail=what, remedy=remedy)


def read_object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in an answer, an empty one if there is none."""
    try:
        facts = answer.json()
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _list_reasons(reasons: Any) -> str:
    if not isinstance(reasons, dict):
        return str(reasons)[:300]
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def look_at_version(name: str, description: str) -> Iterator[Finding]:
    """Compare the version of a part with that of this command; `description` is its OpenAPI."""
    check = f"{name} version"
    try:
        told = read_object(ask(description)).get("info", {}).get("version")
    except SilentError:
        return  # the check of the part says so
    if told is None or told == VERSION:
        return
    yield Finding(
        check=check, state="attention",
        detail=f"It is Skerry {told}, and this is Skerry {VERSION}.",
        remedy="Let all parts have images of one version: helm upgrade; here install that version.",
    )  # fmt: skip


def look_at_distant_clock(address: str) -> Iterator[Finding]:
    """Compare this machine's clock with that of a part, which its answer tells."""
    try:
        there = _read_date(ask(address))
    except SilentError:
        return
    if there is None:
        return
    ahead = (there - utc_now()).total_seconds()
    if abs(ahead) <= _CLOCKS_DIFFER_S:
        yield Finding(check="clock", detail="The platform's clock and this machine's agree.")
        return
    side = "ahead of" if ahead > 0 else "behind"
    yield Finding(
        check="clock", state="attention",
        detail=f"The platform's clock is {abs(ahead):.0f} s {side} this machine's.",
        remedy="Set the clocks of all machines, best with NTP.",
    )  # fmt: skip


def _read_date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
