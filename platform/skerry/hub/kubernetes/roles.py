"""Who may do what on a hub of many: groups give roles."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.scopes import ROLE_GROUP_PREFIX, Scope
from skerry.hub.roles import ROLE_PREFIX, describe_scopes, people_roles, run_role, service_roles

_DOCTOR = "doctor"


def set_roles(config: Any, settings: ClusterHubSettings) -> None:
    """Define the scopes, and give the roles to groups and services.

    The members of the hub group ``role:reviewer`` are reviewers, and so on. Nobody else has a
    role, but the one person of a platform for one person, who is the admin. What the chart's
    values add stays, as long as it does not redefine a role of ours.
    """
    config.JupyterHub.custom_scopes = {
        **config.JupyterHub.get("custom_scopes", {}),
        **describe_scopes(),
    }
    people = people_roles(settings.only_person)
    for role in people:
        role["groups"] = [f"{ROLE_GROUP_PREFIX}{role['name'].removeprefix(ROLE_PREFIX)}"]
    present = {service.name for service in settings.services}
    ours = [*people, run_role(), *service_roles(present)]
    if _DOCTOR in present:
        ours.append(_doctor_role())
    names = {role["name"] for role in ours}
    others = [role for role in config.JupyterHub.get("load_roles", []) if role["name"] not in names]
    config.JupyterHub.load_roles = [*others, *ours]


def _doctor_role() -> dict[str, Any]:
    """Return the role of the check of the whole platform: it starts a run and reads its product."""
    scopes = (Scope.CATALOG_READ, Scope.PRODUCTION_READ, Scope.PRODUCTION_OPERATE)
    return {
        "name": f"{ROLE_PREFIX}doctor",
        "description": "Skerry: carry out a run end to end, and read its product",
        "scopes": ["access:services", *sorted(map(str, scopes))],
        "services": [_DOCTOR],
    }
