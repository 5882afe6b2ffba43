"""Login accounts: only this machine's one person, with the generated password."""

from typing import Any

from skerry.core.hub_settings import HubSettings
from skerry.core.scopes import PROJECTS_GROUP


def set_accounts(config: Any, settings: HubSettings) -> None:
    """Allow the owner alone; the project account exists, but no password opens it."""
    admit_one(config, settings.owner, settings.password)
    config.Authenticator.admin_users = set()
    config.JupyterHub.load_groups = {PROJECTS_GROUP: {"users": [settings.project]}}


def admit_one(config: Any, person: str, password: str) -> None:
    """Let one person in with a password.

    With it they could log in under any allowed name, so exactly one name is allowed, and accounts
    in the database (`allow_existing_users`) are not.
    """
    config.JupyterHub.authenticator_class = "skerry.hub.signing_off.PasswordAuthenticator"
    config.PasswordAuthenticator.user_password = password
    config.Authenticator.allow_all = False
    config.Authenticator.allow_existing_users = False
    config.Authenticator.allowed_users = {person}
