"""Logins that `skerry login` keeps for this user of the machine: one for each platform.

The file has mode 600. Tokens in it end after a week, and are replaced when half of it is over and
somebody uses them.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import platformdirs
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skerry.core.errors import InvalidInputError, UnauthenticatedError, UnavailableError
from skerry.core.oidc.provider import is_loopback, is_trustworthy
from skerry.core.scopes import Scope
from skerry.storage.writing import write_aside

LIFE_S = 7 * 24 * 3600
_OTHERS = 0o077
_ANSWER_WITHIN_S = 20.0
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)


class KeptLogin(BaseModel):
    """One platform, and the token that it accepts from this user.

    Attributes
    ----------
    url
        Its address, without a trailing slash.
    user
        The account.
    token, token_id
        The token, and what the hub calls it.
    expires
        When it ends, in seconds since 1970; None if nobody knows.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    user: str
    token: str = Field(repr=False)
    token_id: str = ""
    expires: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether half of its life is over, so that it is replaced."""
        return self.expires is not None and time.time() > self.expires - LIFE_S / 2

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.expires is not None and time.time() > self.expires


class _Record(BaseModel):
    """What the file holds: the logins by address, and which of them was the last."""

    current: str = ""
    logins: dict[str, KeptLogin] = Field(default_factory=dict)


def kept_file() -> Path:
    """Return the path of the file."""
    return Path(platformdirs.user_config_dir("skerry")) / "logins.json"


def check_platform(url: str) -> str:
    """Return a platform's address as it is kept.

    Raises
    ------
    InvalidInputError
        If a token would go there in clear, or it is no address.
    """
    parts = urlsplit(url)
    if not is_trustworthy(url) or parts.query or parts.path.rstrip("/"):
        raise InvalidInputError(
            f"{url[:140]!r} is not the address of a platform to which a token may be sent.",
            remedy="Give https://host, or http://127.0.0.1:port for one on this machine.",
        )
    return url.rstrip("/")


def find_kept(url: str = "", *, alive: bool = True) -> KeptLogin | None:
    """Return the login for a platform, the last one without an address; None if there is none.

    It is renewed when it is due; while the platform does not answer, the old one is good.

    Parameters
    ----------
    url
        The platform's address.
    alive
        Whether it is to be of use: else it is neither renewed nor missed when it has ended.

    Raises
    ------
    UnauthenticatedError
        If it has ended.
    InvalidInputError
        If the file can be read by others, or is not one of ours.
    """
    path = kept_file()
    if not path.exists():
        return None
    login = _pick(_read(path), url)
    if not alive:
        return login
    if login is not None and login.is_due:
        login = _renew(path, url) or login
    if login is not None and login.is_over:
        raise UnauthenticatedError(
            f"The login of {login.user} at {login.url} has ended: it was not used for a week.",
            remedy=f"Run 'skerry login {login.url}'.",
        )
    return login


def keep(login: KeptLogin) -> None:
    """Write a login into the file; it is the last one."""

    def add(record: _Record) -> None:
        record.logins[login.url] = login
        record.current = login.url

    _change(add)


def forget(url: str) -> None:
    """Take the login for a platform out of the file."""

    def remove(record: _Record) -> None:
        record.logins.pop(url, None)
        record.current = next(iter(record.logins), "") if record.current == url else record.current

    _change(remove)


def exchange(url: str, token: str) -> KeptLogin:
    """Return a login with a token of its own, which can do what a person does with Skerry.

    The token that was shown is revoked when the new one is there. A token that may not make others
    is kept as it is.

    Raises
    ------
    UnauthenticatedError
        If the platform does not know the token.
    UnavailableError
        If the platform does not answer.
    """
    answer = _ask("GET", url, "user", token)
    if answer.status_code in _REFUSED:
        raise UnauthenticatedError(
            f"The platform at {url} does not know this token.",
            remedy=f"Make a new one at {url}/hub/token.",
        )
    holder = _read_answer(url, answer)
    if holder.get("kind") != "user":
        raise InvalidInputError(
            "This token is of a program of the platform, not of a person.",
            remedy=f"Make one of your own at {url}/hub/token.",
        )
    name, shown = str(holder["name"]), str(holder.get("token_id") or "")
    made = _make(url, token, name, holder.get("scopes") or [])
    if made is None:
        return KeptLogin(url=url, user=name, token=token, token_id=shown)
    _revoke(made, shown)
    return made


def revoke(login: KeptLogin) -> bool:
    """Revoke a login's token; return whether the platform has done it, or did not know it."""
    return _revoke(login, login.token_id)


def _make(url: str, token: str, name: str, held: list[str]) -> KeptLogin | None:
    """Return a new login, None if the token may not make one."""
    own = f"!user={name}"
    scopes = {
        "access:services", f"tokens{own}", f"read:users:name{own}", f"read:users:groups{own}",
        *({*held} & {*map(str, Scope)} - {str(Scope.RUN_PUBLISH)}),
    }  # fmt: skip
    note = f"skerry login on {socket.gethostname()[:60]}"
    body = {"note": note, "expires_in": LIFE_S, "scopes": sorted(scopes)}
    answer = _ask("POST", url, f"users/{quote(name, safe='')}/tokens", token, json=body)
    if answer.status_code in _REFUSED:
        return None
    made = _read_answer(url, answer)
    return KeptLogin(
        url=url, user=name, token=made["token"], token_id=made["id"],
        expires=time.time() + LIFE_S,
    )  # fmt: skip


def _renew(path: Path, url: str) -> KeptLogin | None:
    """Replace a login that is due; None if that cannot be done now."""
    with FileLock(f"{path}.lock", mode=0o600):
        login = _pick(_read(path), url)
        if login is None or not login.is_due:  # another program has just done it
            return login
        try:
            answer = _ask("GET", login.url, "user", login.token)
            held = _read_answer(login.url, answer).get("scopes") or []
            made = _make(login.url, login.token, login.user, held)
        except UnavailableError:
            return None
        if made is None:
            return None
        record = _read(path)
        record.logins[made.url] = made
        _write(path, record)
        _revoke(made, login.token_id)
        return made


def _revoke(login: KeptLogin, token_id: str) -> bool:
    if not token_id:
        return False
    path = f"users/{quote(login.user, safe='')}/tokens/{quote(token_id, safe='')}"
    try:
        answer = _ask("DELETE", login.url, path, login.token)
    except UnavailableError:
        return False
    return answer.is_success or answer.status_code in _REFUSED


def _pick(record: _Record, url: str) -> KeptLogin | None:
    return record.logins.get(url or record.current)


def _change(change: Callable[[_Record], None]) -> None:
    path = kept_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", mode=0o600):
        record = _read(path) if path.exists() else _Record()
        change(record)
        _write(path, record)


def _write(path: Path, record: _Record) -> None:
    write_aside(path, record.model_dump_json(indent=1), private=True)


def _read(path: Path) -> _Record:
    try:
        facts = path.stat()
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{path} cannot be read ({error.strerror}).", remedy="Check its permissions."
        ) from None
    if facts.st_mode & _OTHERS or facts.st_uid != os.getuid():
        raise InvalidInputError(
            f"{path} holds tokens, and other users of this machine can read it.",
            remedy=f"Run 'chmod 600 {path}', and 'skerry logout' if somebody may have read it.",
        )
    try:
        return _Record.model_validate_json(content)
    except ValidationError:
        raise InvalidInputError(
            f"{path} is not a file of logins that Skerry wrote.",
            remedy="Remove it and run 'skerry login' again.",
        ) from None


def _ask(method: str, url: str, path: str, token: str, *, json: Any = None) -> httpx.Response:
    """Return an answer of the hub.

    Raises
    ------
    UnavailableError
        If there is none.
    """
    try:
        return httpx.request(
            method, f"{url}/hub/api/{path}", json=json, timeout=_ANSWER_WITHIN_S,
            headers={"Authorization": f"token {token}"},
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
        )  # fmt: skip
    except httpx.HTTPError as error:
        raise UnavailableError(
            f"The platform at {url} does not answer ({type(error).__name__}).",
            remedy="Check the address and the network.",
        ) from None


def _read_answer(url: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json() if answer.is_success else None
    except json.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise UnavailableError(
            f"{url} answers as no platform does (status {answer.status_code}).",
            remedy="Check the address; an administrator looks into the log of the hub.",
        )
    return content
