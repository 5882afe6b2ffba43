"""The platform's own secrets and the one password: created once, stored with mode 0600."""

import getpass
import re
import secrets

from pydantic import BaseModel, Field

from skerry.core.settings import DEFAULT_PROJECT
from skerry.storage.layout import DataFolder
from skerry.storage.writing import write_aside

SERVICES = ("dask-gateway", "api", "maps", "worker", "dashboards", "supervisor", "prometheus")
"""The hub's names of the parts that have a token, and of the program that measures them."""

_PASSWORD_BYTES = 12


def _new_tokens() -> dict[str, str]:
    return {name: secrets.token_hex(32) for name in SERVICES}


class Credentials(BaseModel):
    """Secrets of one data folder.

    Attributes
    ----------
    instance
        Not secret: marks every process of this data folder.
    owner
        The one account's name.
    proxy_token
        Between hub and proxy.
    service_tokens
        Each part's own hub token, by service name.
    crypt_key
        Encrypts what the hub keeps of people's tokens at a provider.
    """

    instance: str = Field(default_factory=lambda: secrets.token_hex(8))
    owner: str = Field(default_factory=lambda: owner_name(_login_name()))
    proxy_token: str = Field(default_factory=lambda: secrets.token_hex(32))
    service_tokens: dict[str, str] = Field(default_factory=_new_tokens)
    crypt_key: str = Field(default_factory=lambda: secrets.token_hex(32))

    @classmethod
    def load(cls, folder: DataFolder) -> "Credentials":
        """Read this data folder's secrets; create them first if there are none."""
        path = folder.state / "secrets.json"
        if path.exists():
            credentials = cls.model_validate_json(path.read_bytes())
            missing = {
                name: token
                for name, token in _new_tokens().items()
                if name not in credentials.service_tokens
            }
            if not missing and "crypt_key" in credentials.model_fields_set:
                return credentials
            completed = credentials.model_copy(
                update={"service_tokens": credentials.service_tokens | missing}
            )
        else:
            completed = cls()
        write_aside(path, completed.model_dump_json(indent=1), private=True)
        return completed


def load_password(folder: DataFolder) -> str:
    """Return the one account's password; create it first if there is none."""
    if not folder.password.exists():
        write_aside(folder.password, secrets.token_urlsafe(_PASSWORD_BYTES) + "\n", private=True)
    return folder.password.read_text().strip()


def owner_name(login: str) -> str:
    """Return the hub name for an operating system's login name.

    Lower case letters, digits and ``-``, a letter first; ``owner`` if nothing is left or the name
    is the project account's.
    """
    name = re.sub(r"[^a-z0-9]+", "-", login.lower()).strip("-")[:32].strip("-")
    if not name or not name[0].isalpha() or name == DEFAULT_PROJECT:
        return "owner"
    return name


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # a user id without an account, as in some containers
