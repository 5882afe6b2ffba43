"""Who may log in: the people of a provider, or the one person of a platform for one person."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings, read_token
from skerry.core.errors import InvalidInputError
from skerry.core.scopes import PROJECTS_GROUP
from skerry.hub.accounts import admit_one
from skerry.hub.sign_on import set_sign_on

PASSWORD = "password"  # noqa: S105  (the name of its file)
"""Name of the file, beside the tokens of services, with the one person's password."""

_UNDECIDED = ("null", "dummy", "jupyterhub.auth.DummyAuthenticator")
"""Authenticators that let in nobody, or anybody."""


def set_accounts(config: Any, settings: ClusterHubSettings) -> None:
    """Let people in, and make the account on whose behalf runs act.

    z2jh lets anybody in under any name if nobody says otherwise: so somebody has to. An
    authenticator that the chart's values name themselves stays.

    Raises
    ------
    InvalidInputError
        If nothing says how people log in.
    """
    groups = config.JupyterHub.get("load_groups", {})
    config.JupyterHub.load_groups = {**groups, PROJECTS_GROUP: {"users": [settings.project]}}
    config.Authenticator.admin_users = set()
    if settings.sign_on is not None:
        set_sign_on(config, settings.sign_on)
    elif settings.only_person is not None:
        admit_one(config, settings.only_person, read_token(PASSWORD))
    elif config.JupyterHub.get("authenticator_class", "dummy") in _UNDECIDED:
        raise InvalidInputError(
            "Nothing says how people log in: signOn is missing.",
            remedy="Give the provider's address in the chart's values, or onlyPerson.",
        )
