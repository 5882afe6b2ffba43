"""The checks of `skerry doctor --platform ADDRESS`: a platform as a person elsewhere reaches it."""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from skerry.cli.doctor.asking import SilentError, ask
from skerry.cli.doctor.findings import Finding, describe_error
from skerry.cli.doctor.parts import look_at_distant_clock, look_at_part, look_at_version
from skerry.cli.doctor.sign_on import look_at_redirect
from skerry.client.kept_logins import check_platform, find_kept
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import SkerryError
from skerry.core.settings import (
    API_PREFIX,
    DASHBOARDS_PREFIX,
    GATEWAY_PREFIX,
    MAPS_PREFIX,
    STATUS_PREFIX,
)
from skerry.core.wording import describe_bytes
from skerry.models.platform import Holder, PlatformHealth

_PARTS = {
    "hub": "/hub/health",
    "api": f"{API_PREFIX}/ready",
    "maps": f"{MAPS_PREFIX}/ready",
    "dashboards": f"{DASHBOARDS_PREFIX}/ready",
    "gateway": f"{GATEWAY_PREFIX}/api/health",
}


def find_session(url: str) -> Session | None:
    """Return a session with the login that `skerry login` keeps for a platform, None without one.

    Raises
    ------
    SkerryError
        If the address is none, or the login has ended.
    """
    kept = find_kept(check_platform(url))
    return None if kept is None else Session(Login(url=kept.url, token=kept.token, user=kept.user))


def examine_outside(url: str, session: Session | None) -> Iterator[Finding]:
    """Yield what is found of the platform at an address; more of it with a login."""
    url = check_platform(url)
    try:
        ask(f"{url}{_PARTS['hub']}")
    except SilentError as error:
        yield describe_error("address", error)
        return
    yield Finding(check="address", detail=f"{url} answers.")
    for name, path in _PARTS.items():
        yield from look_at_part(name, f"{url}{path}")
    yield from look_at_version("api", f"{url}{API_PREFIX}/openapi.json")
    yield from look_at_distant_clock(f"{url}{API_PREFIX}/health")
    yield from _look_at_sign_on(url)
    yield from _look_at_status_page(url)
    yield from _look_at_login(url, session)


def _look_at_sign_on(url: str) -> Iterator[Finding]:
    """Follow the way of a browser that signs on, to the provider's first answer."""
    try:
        answer = ask(f"{url}/hub/oauth_login")
    except SilentError as error:
        yield describe_error("sign-on", error)
        return
    provider = answer.headers.get("location", "")
    if answer.status_code == HTTPStatus.NOT_FOUND:
        yield Finding(check="sign-on", detail="People log in with the password of the platform.")
    elif answer.is_redirect and urlsplit(provider).hostname:
        yield from look_at_redirect(provider)
    else:
        yield Finding(
            check="sign-on", state="broken",
            detail=f"The hub sends nobody to the provider: it answers {answer.status_code}.",
            remedy="Its log says why: kubectl logs deployment/hub. Most often it does not reach "
            "the issuer in signOn.settings.",
        )  # fmt: skip


def _look_at_status_page(url: str) -> Iterator[Finding]:
    try:
        answer = ask(f"{url}{STATUS_PREFIX}/health")
    except SilentError as error:
        yield describe_error("status page", error)
        return
    if answer.is_success:
        yield Finding(check="status page", detail=f"{url}{STATUS_PREFIX}/ is there for everybody.")


def _look_at_login(url: str, session: Session | None) -> Iterator[Finding]:
    if session is None:
        yield Finding(
            check="login", state="attention", detail="Nobody is logged in here, so less was seen.",
            remedy=f"Run 'skerry login {url}', and ask again.",
        )  # fmt: skip
        return
    try:
        holder = session.fetch(Holder, "GET", "me")
        yield _judge_roles(holder)
        yield from _look_at_health(session.fetch(PlatformHealth, "GET", "platform/health"))
    except SkerryError as error:
        yield describe_error("login", error)


def _judge_roles(holder: Holder) -> Finding:
    if holder.roles:
        return Finding(check="login", detail=f"{holder.account} is {', '.join(holder.roles)}.")
    return Finding(
        check="login", state="attention", detail=f"{holder.account} has no whole role here.",
        remedy="If it should: see that the provider sends the groups claim, and which groups "
        "signOn.settings.groups names.",
    )  # fmt: skip


def _look_at_health(health: PlatformHealth) -> Iterator[Finding]:
    works = sum(worker.works for worker in health.workers)
    yield Finding(
        check="workers", state="well" if works else "broken",
        detail=f"{works} of {len(health.workers)} work.",
        remedy="" if works else "No run goes on: read the log of the worker.",
    )  # fmt: skip
    free = describe_bytes(health.disk_free)
    yield Finding(
        check="disk", state="attention" if health.disk_low else "well",
        detail=f"The api's disk has {free} free.",
        remedy="Give it more room (api.scratch of the chart)." if health.disk_low else "",
    )  # fmt: skip
