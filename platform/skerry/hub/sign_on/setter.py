"""The hub's configuration for sign-on; what is missing or contradicts itself ends the start."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from skerry.core.errors import InvalidInputError
from skerry.core.hub_settings import HubSettings
from skerry.core.oidc.sign_on_settings import SignOnSettings, read_secret
from skerry.core.scopes import PEOPLE_ROLES, ROLE_GROUP_PREFIX
from skerry.hub.roles import ROLE_PREFIX

_CRYPT_KEY = "JUPYTERHUB_CRYPT_KEY"


def set_sign_on(
    config: Any, settings: SignOnSettings, environment: Mapping[str, str] = os.environ
) -> None:
    """Let the people of an OpenID provider in, instead of the holder of the one password.

    Call it after the setters of addresses and roles.

    Raises
    ------
    InvalidInputError
        If the client's secret or the key for kept tokens is missing, if the platform's address is
        not known, or if several people could get in without a subdomain for each of them.
    """
    from skerry.hub.sign_on.authenticator import ProviderAuthenticator  # a slow import

    _check_key(config, environment)
    config.JupyterHub.authenticator_class = ProviderAuthenticator
    sign_on = config.ProviderAuthenticator
    sign_on.sign_on = settings
    sign_on.one_person = _check_people(config, settings)
    sign_on.names_url = _read(config, "db_url", "sqlite:///jupyterhub.sqlite")
    sign_on.client_id = settings.client_id
    sign_on.client_secret = read_secret(environment)
    sign_on.scope = list(settings.scopes)
    sign_on.login_service = settings.title
    sign_on.oauth_callback_url = _name_callback(config)
    if not sign_on.one_person and sign_on.oauth_callback_url.startswith("https:"):
        # no person's subdomain can put a login of its choice into a visitor's browser
        config.JupyterHub.cookie_host_prefix_enabled = True
    _set_membership(config, settings)
    _set_groups(config, settings)


def set_one_machine(config: Any, settings: HubSettings) -> None:
    """Let the one person of this machine sign on with a provider, if the settings name one."""
    if settings.sign_on is not None:
        config.CryptKeeper.keys = [settings.crypt_key]
        set_sign_on(config, settings.sign_on)


def _set_membership(config: Any, settings: SignOnSettings) -> None:
    """Ask for a membership again and again; whoever has none left gets nowhere with any token."""
    config.Authenticator.enable_auth_state = True
    config.Authenticator.auth_refresh_age = settings.renew_after_s
    config.Authenticator.auth_refresh_strict = True
    config.Authenticator.refresh_pre_spawn = True
    config.Authenticator.manage_groups = False  # the authenticator does it, projects' accounts too
    config.Authenticator.allow_all = False
    config.Authenticator.any_allow_config = True  # the authenticator admits members of groups
    config.Authenticator.allow_existing_users = False
    config.Authenticator.allowed_users = set()
    config.Authenticator.admin_users = set()


def _set_groups(config: Any, settings: SignOnSettings) -> None:
    """Give each role to a hub group of its own, and make the groups of all projects."""
    roles = {role["name"]: role for role in config.JupyterHub.load_roles}
    for name in PEOPLE_ROLES:
        role = roles[f"{ROLE_PREFIX}{name}"]
        role["groups"] = sorted({*role.get("groups", []), f"{ROLE_GROUP_PREFIX}{name}"})
    groups = _read(config, "load_groups", {})
    projects = {project for rule in settings.groups for project in rule.projects}
    config.JupyterHub.load_groups = {project: {} for project in sorted(projects)} | groups


def _check_key(config: Any, environment: Mapping[str, str]) -> None:
    if "keys" in config.CryptKeeper or environment.get(_CRYPT_KEY, "").strip():
        return
    raise InvalidInputError(
        "Sign-on keeps people's tokens of the provider, and there is no key to encrypt them.",
        remedy=f"Set {_CRYPT_KEY} to 32 random bytes in hexadecimal: openssl rand -hex 32.",
    )


def _check_people(config: Any, settings: SignOnSettings) -> bool:
    """Return whether the platform is for one person: one origin cannot hold two people apart."""
    if _read(config, "subdomain_host", ""):
        return False
    if len(settings.accounts) == 1:
        return True
    listed = f"accounts list {len(settings.accounts)}" if settings.accounts else "accounts is empty"
    raise InvalidInputError(
        f"Several people could sign on ({listed}), and they would share one origin: a page of one "
        "of them could act as another.",
        remedy="Give each person a subdomain (JupyterHub.subdomain_host), or name the one person "
        'of this platform in the settings: "accounts": {"<sub at the provider>": "<hub name>"}.',
    )


def _name_callback(config: Any) -> str:
    host = _read(config, "subdomain_host", "") or _read(config, "public_url", "")
    if not host:
        raise InvalidInputError(
            "Sign-on needs the platform's own address, to which the provider sends people back.",
            remedy="Set JupyterHub.public_url, or JupyterHub.subdomain_host.",
        )
    parts = urlsplit(host)
    base = _read(config, "base_url", "/").strip("/")
    return f"{parts.scheme}://{parts.netloc}/{base + '/' if base else ''}hub/oauth_callback"


def _read(config: Any, name: str, default: Any) -> Any:
    return config.JupyterHub.get(name, default)
