"""Scopes and roles of Skerry, as the hub's custom scopes and roles."""

from collections.abc import Collection
from typing import Any

from skerry.core.hub_settings import HubSettings
from skerry.core.scopes import DESCRIPTIONS, PROJECTS_GROUP, PUBLICISER, ROLES, Scope

# "admin" is a role of the hub's own and cannot be redefined.
ROLE_PREFIX = "skerry-"

_SERVICES_OF_RUNS = ("api", "dask-gateway")


def set_roles(config: Any, settings: HubSettings) -> None:
    """Define the custom scopes and give the roles to their holders; the owner is the admin."""
    config.JupyterHub.custom_scopes = describe_scopes()
    config.JupyterHub.load_roles = [
        *people_roles(settings.owner),
        run_role(),
        *service_roles({service.name for service in settings.services}),
        _supervisor_role(settings.owner),
    ]


def describe_scopes() -> dict[str, dict[str, str]]:
    """Return the custom scopes with what they allow."""
    return {str(scope): {"description": text} for scope, text in DESCRIPTIONS.items()}


def people_roles(admin: str | None) -> list[dict[str, Any]]:
    """Return the roles of people; `admin` is a person who is the admin whatever groups say."""
    return [
        {
            "name": f"{ROLE_PREFIX}{name}",
            "description": f"Skerry: {name}",
            "scopes": ["access:services", *sorted(map(str, scopes))],
            "users": [admin] if name == "admin" and admin is not None else [],
        }
        for name, scopes in ROLES.items()
        if name != "run"
    ]


def run_role() -> dict[str, Any]:
    """Return the role of project accounts: the upper limit of a run's token."""
    return {
        "name": f"{ROLE_PREFIX}run",
        "description": "Skerry: what a run may do on behalf of its project",
        "scopes": [
            *(f"access:services!service={name}" for name in _SERVICES_OF_RUNS),
            *sorted(map(str, ROLES["run"])),
        ],
        "groups": [PROJECTS_GROUP],
    }


def _supervisor_role(owner: str) -> dict[str, Any]:
    return {
        "name": f"{ROLE_PREFIX}supervisor",
        "description": "Skerry: make the owner's token for the command line",
        "scopes": [f"tokens!user={owner}", f"read:users:name!user={owner}"],
        "services": ["supervisor"],
    }


_SERVICE_ROLES: dict[str, tuple[str, list[str], list[str]]] = {
    "worker": (
        "make and revoke tokens of runs",
        [f"tokens!group={PROJECTS_GROUP}", f"read:users!group={PROJECTS_GROUP}"],
        ["worker"],
    ),
    "keeper": (
        "see all Dask clusters and end those that nobody needs",
        ["access:services!service=dask-gateway"],
        ["api", "worker"],
    ),
    "directory": (
        "look up whether a person or a project is there",
        ["read:users:name", "read:groups:name", "read:services:name"],
        ["api"],
    ),
    "measurer": (
        "read what the parts measure", [str(Scope.PLATFORM_MEASURE)], ["prometheus"],
    ),
    "accountant": (
        "reserve of budgets before something starts",
        [str(Scope.BUDGETS_RESERVE)],
        ["spawner", "dask-gateway"],
    ),
    "doorkeeper": (
        "see to which projects of the platform a person belongs",
        [str(Scope.PROJECTS_LOOK_UP)],
        ["spawner"],
    ),
    "registrar": (
        "see which user servers live", ["list:users", "read:servers"], ["worker"],
    ),
}  # fmt: skip
"""What each role is for, its scopes, and the services that have it."""


def service_roles(present: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the roles of services, each with the few scopes that its work needs.

    `api` also looks up names to whom something is given. The hub refuses a role of a service that
    it does not know: `present` names those that it knows, None all of them.

    `api`, `maps`, `dashboards` and the gateway also ask for the holder of a request's token, and
    that token itself is the credential for the question.
    """
    roles: list[dict[str, Any]] = [
        {
            "name": f"{ROLE_PREFIX}{name}",
            "description": f"Skerry: {description}",
            "scopes": [*scopes],
            "services": [*services],
        }
        for name, (description, scopes, services) in _SERVICE_ROLES.items()
    ]
    if present is None:
        return roles
    kept = [{**role, "services": [n for n in role["services"] if n in present]} for role in roles]
    return [role for role in kept if role["services"]]


def notebook_scopes() -> list[str]:
    """Return the scopes of a person's notebooks: without deciding and operating.

    The hub leaves out what the person may not do: only who may open something to everybody may
    do it in a notebook. A notebook may be a colleague's, so it does not decide who belongs to the
    projects of whoever runs it.
    """
    scopes = (ROLES["scientist"] | PUBLICISER) - {Scope.PROJECTS_DECIDE}
    return ["access:services", *sorted(map(str, scopes))]


_VIEWING = {
    "api": (
        {"api"},
        {
            Scope.CATALOG_READ,
            Scope.CATALOG_WITHDRAWN,
            Scope.PRODUCTION_READ,
            Scope.PLATFORM_ADMIN,
            Scope.BUDGETS_READ,
            Scope.PROJECTS_READ,
        },
    ),
    "maps": ({"maps"}, {Scope.CATALOG_READ, Scope.CATALOG_WITHDRAWN}),
    "dashboards": (
        {"api", "maps", "dashboards"},
        # its pages start, cancel and retry runs; they decide about no release, and as
        # owners about the members of their own projects
        {
            Scope.CATALOG_READ,
            Scope.CATALOG_WITHDRAWN,
            Scope.PRODUCTION_READ,
            Scope.PRODUCTION_OPERATE,
            Scope.PLATFORM_ADMIN,
            Scope.BUDGETS_READ,
            Scope.PROJECTS_READ,
            Scope.PROJECTS_DECIDE,
        },
    ),
}
"""For each part with pages: the services and scopes that it uses for a viewer."""


def viewer_scopes(service: str) -> list[str]:
    """Return the upper limit for `service` with the token of a person who looks at its pages."""
    reached, scopes = _VIEWING[service]
    return [
        *(f"access:services!service={name}" for name in sorted(reached)),
        *sorted(map(str, scopes)),
    ]
