"""Asks whether the person, project or program exists to whom something is given."""

from urllib.parse import quote

import httpx

from skerry.core.errors import InvalidInputError
from skerry.core.oidc.trusted_issuers import TrustedIssuers
from skerry.core.ownership import PLATFORM_OWNER, check_owner
from skerry.services.hub_access import HubAccess

_FOLDERS = {"person": "users", "project": "groups", "service": "services"}
_TIMEOUT_S = 5.0


def check_holder(hub: HubAccess, holder: str) -> str | None:
    """Refuse a name that nobody has, as far as the hub can be asked.

    Returns
    -------
    str or None
        Why nobody can say whether the name exists; None if it exists.

    Raises
    ------
    InvalidInputError
        If it is not the name of an owner, or the hub knows nobody of that name.
    """
    holder = check_owner(holder)
    if holder == PLATFORM_OWNER:
        return None
    kind, _, name = holder.partition(":")
    if kind == "service" and name in TrustedIssuers.from_environment().names:
        return None
    status = _ask(hub, f"{_FOLDERS[kind]}/{quote(name, safe='')}")
    if status == httpx.codes.NOT_FOUND:
        raise InvalidInputError(
            f"The hub knows no {kind} {name!r}.",
            remedy="Check the name; small and large letters differ in names of projects and "
            "services. The hub learns of a person when an administrator adds them, or when they "
            "first log in; projects are its groups.",
        )
    if status == httpx.codes.OK:
        return None
    why = "does not answer" if status is None else f"answers with status {status}"
    return f"The hub {why}, so nobody has checked whether {holder} is there."


def knows_group(hub: HubAccess, name: str) -> bool | None:
    """Return whether the hub has a group of a name; None if it does not say."""
    status = _ask(hub, f"groups/{quote(name, safe='')}")
    if status == httpx.codes.OK:
        return True
    return False if status == httpx.codes.NOT_FOUND else None


def _ask(hub: HubAccess, path: str) -> int | None:
    """Return the status of the hub's answer; None if there is none."""
    headers = {"Authorization": f"token {hub.api_token.get_secret_value()}"}
    try:
        answer = httpx.get(
            f"{hub.api_url}/{path}", headers=headers, timeout=_TIMEOUT_S, trust_env=False
        )
    except httpx.HTTPError:
        return None
    return answer.status_code
