"""The owner's own token for the command line, made through the hub."""

import json
from typing import Any

import httpx

from skerry.cli.supervisor.plan import Plan
from skerry.core.errors import UnavailableError
from skerry.core.scopes import ROLES
from skerry.storage.layout import DataFolder
from skerry.storage.writing import write_aside

_NOTE = "skerry command line on this machine"
_TIMEOUT_S = 10.0


def write_owner_login(plan: Plan) -> None:
    """Write address, name and token to ``owner.json``, with a token that is good.

    A token of an earlier start is kept when the hub still takes it for the owner's, so that
    shells and clients that were given it go on working.
    """
    owner = plan.credentials.owner
    with httpx.Client(base_url=plan.hub_api, timeout=_TIMEOUT_S, trust_env=False) as hub:
        token = _read_token(plan.folder)
        if token is None or not _is_good(hub, token, owner):
            token = _mint(hub, plan.credentials.service_tokens["supervisor"], owner)
    login = {"url": plan.public_url, "user": owner, "token": token}
    write_aside(plan.folder.owner, json.dumps(login, indent=1), private=True)


def owner_token_scopes() -> list[str]:
    """Return what the owner may do from the command line: everything that is Skerry's."""
    return ["access:services", *sorted(map(str, ROLES["admin"]))]


def _read_token(folder: DataFolder) -> str | None:
    try:
        token = json.loads(folder.owner.read_text()).get("token")
    except (OSError, ValueError, AttributeError):
        return None
    return token if isinstance(token, str) else None


def _is_good(hub: httpx.Client, token: str, owner: str) -> bool:
    response = hub.get("/user", headers=_authorise(token))
    if response.status_code != httpx.codes.OK:
        return False
    identity: dict[str, Any] = response.json()
    return identity.get("name") == owner and set(owner_token_scopes()) <= set(
        identity.get("scopes", [])
    )


def _mint(hub: httpx.Client, supervisor: str, owner: str) -> str:
    """Make a token and revoke those of the same note that nobody can read any more."""
    path = f"/users/{owner}/tokens"
    headers = _authorise(supervisor)
    for old in _check(hub.get(path, headers=headers))["api_tokens"]:
        if _NOTE in old.get("note", ""):
            hub.delete(f"{path}/{old['id']}", headers=headers)
    request = {"note": _NOTE, "scopes": owner_token_scopes()}
    made = _check(hub.post(path, headers=headers, json=request))
    return str(made["token"])


def _authorise(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


def _check(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise UnavailableError(
            f"The hub refused to make the owner's token ({response.status_code}).",
            remedy="See hub.log in the data folder's logs.",
        )
    body: dict[str, Any] = response.json()
    return body
