"""Finds the platform's address and a token: in the environment, then in the data folder."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

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
    """

    url: str
    token: str = field(repr=False)
    user: str = ""


def find_login() -> Login:
    """Find the platform's address and a token.

    `SKERRY_URL` with `SKERRY_TOKEN` (in a user server or a run also `JUPYTERHUB_API_TOKEN`), else
    the owner's login in the data folder, which the platform writes when it starts.

    Raises
    ------
    UnauthenticatedError
        If both are missing.
    """
    url = os.environ.get("SKERRY_URL", "").rstrip("/")
    token = os.environ.get("SKERRY_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
    if url and token:
        return Login(url=url, token=token, user=os.environ.get("JUPYTERHUB_USER", ""))
    owner = DataFolder(default_data_folder()).owner
    if owner.is_file():
        login = _read_owner(owner)
        if url in ("", login.url):
            return login
    if url:
        raise UnauthenticatedError(
            f"SKERRY_URL names {url}, but SKERRY_TOKEN is not set.",
            remedy=f"Make a token at {url}/hub/token and set SKERRY_TOKEN to it.",
        )
    raise UnauthenticatedError(
        f"No platform is known here: SKERRY_URL is not set and {owner} does not exist.",
        remedy=(
            "Start one with 'skerry up'; for one on another data folder set SKERRY_DATA,"
            " for one elsewhere SKERRY_URL and SKERRY_TOKEN."
        ),
    )


def _read_owner(path: Path) -> Login:
    try:
        record = json.loads(path.read_text())
        return Login(url=record["url"].rstrip("/"), token=record["token"], user=record["user"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInputError(
            f"{path} is not a login that the platform wrote.",
            remedy="Restart the platform ('skerry down', 'skerry up'); it writes the file anew.",
        ) from None
