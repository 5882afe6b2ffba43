"""Finds the platform's address and a token: in the environment, a kept login, the data folder."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from skerry.client.kept_logins import find_kept
from skerry.core.errors import InvalidInputError, UnauthenticatedError
from skerry.core.settings import default_data_folder
from skerry.storage.layout import DataFolder


@dataclass(frozen=True)
class Login:
    """One platform's public address and a hub token that it accepts.

    Attributes
    ----------
    url
        The public address without a trailing slash.
    token
        A hub token; never shown by `repr`.
    user
        The account's name if it is known without a request, else empty.
    inside
        The address at which this process reaches the platform; empty for the public one.
    """

    url: str
    token: str = field(repr=False)
    user: str = ""
    inside: str = ""

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.inside or self.url


def find_login() -> Login:
    """Find the platform's address and a token.

    `SKERRY_URL` with `SKERRY_TOKEN` (in a user server or a run also `JUPYTERHUB_API_TOKEN`; in a
    cluster the public address need not lead there, and `SKERRY_INTERNAL_URL` does), else
    the login that `skerry login` keeps, else the owner's login in the data folder, which the
    platform writes when it starts. A data folder that `SKERRY_DATA` names goes before the login.

    Raises
    ------
    UnauthenticatedError
        If all are missing.
    """
    url = os.environ.get("SKERRY_URL", "").rstrip("/")
    token = os.environ.get("SKERRY_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
    if url and token:
        inside = os.environ.get("SKERRY_INTERNAL_URL", "").rstrip("/")
        return Login(url, token, user=os.environ.get("JUPYTERHUB_USER", ""), inside=inside)
    ways = (_find_owner, _find_kept) if os.environ.get("SKERRY_DATA") else (_find_kept, _find_owner)
    login = next((found for way in ways if (found := way(url)) is not None), None)
    if login is not None:
        return login
    if url:
        raise UnauthenticatedError(
            f"SKERRY_URL names {url}, but SKERRY_TOKEN is not set.",
            remedy=f"Run 'skerry login {url}', or make a token at {url}/hub/token and set "
            "SKERRY_TOKEN to it.",
        )
    owner = DataFolder(default_data_folder()).owner
    raise UnauthenticatedError(
        f"No platform is known here: SKERRY_URL is not set and {owner} does not exist.",
        remedy=(
            "Start one with 'skerry up'; for one on another data folder set SKERRY_DATA,"
            " for one elsewhere run 'skerry login ADDRESS'."
        ),
    )


def _find_owner(url: str) -> Login | None:
    owner = DataFolder(default_data_folder()).owner
    login = _read_owner(owner) if owner.is_file() else None
    return login if login is not None and url in ("", login.url) else None


def _find_kept(url: str) -> Login | None:
    kept = find_kept(url)
    return None if kept is None else Login(url=kept.url, token=kept.token, user=kept.user)


def _read_owner(path: Path) -> Login:
    try:
        record = json.loads(path.read_text())
        return Login(url=record["url"].rstrip("/"), token=record["token"], user=record["user"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInputError(
            f"{path} is not a login that the platform wrote.",
            remedy="Restart the platform ('skerry down', 'skerry up'); it writes the file anew.",
        ) from None
