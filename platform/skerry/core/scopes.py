"""Permissions as data: scopes, and the roles that bundle them.

The hub defines these as custom scopes; every service checks them on each request's token.
"""

from enum import StrEnum


class Scope(StrEnum):
    """One permission. The value is the hub's custom scope."""

    CATALOG_READ = "custom:skerry:catalog:read"
    CATALOG_WRITE = "custom:skerry:catalog:write"
    CATALOG_REVIEW = "custom:skerry:catalog:review"
    CATALOG_WITHDRAWN = "custom:skerry:catalog:withdrawn"
    CATALOG_PUBLICISE = "custom:skerry:catalog:publicise"
    PRODUCTION_READ = "custom:skerry:production:read"
    PRODUCTION_PROPOSE = "custom:skerry:production:propose"
    PRODUCTION_APPROVE = "custom:skerry:production:approve"
    PRODUCTION_PUBLICISE = "custom:skerry:production:publicise"
    PRODUCTION_OPERATE = "custom:skerry:production:operate"
    RUN_PUBLISH = "custom:skerry:run:publish"
    PLATFORM_ADMIN = "custom:skerry:platform:admin"
    PLATFORM_MEASURE = "custom:skerry:platform:measure"
    PLATFORM_AUDIT = "custom:skerry:platform:audit"
    BUDGETS_READ = "custom:skerry:budgets:read"
    BUDGETS_MANAGE = "custom:skerry:budgets:manage"
    BUDGETS_RESERVE = "custom:skerry:budgets:reserve"
    PLATFORM_ANNOUNCE = "custom:skerry:platform:announce"
    PROJECTS_DECIDE = "custom:skerry:projects:decide"
    PROJECTS_READ = "custom:skerry:projects:read"
    PROJECTS_MANAGE = "custom:skerry:projects:manage"
    PROJECTS_LOOK_UP = "custom:skerry:projects:look-up"


DESCRIPTIONS: dict[Scope, str] = {
    Scope.CATALOG_READ: "Find and read items that are not public, their files and their tiles",
    Scope.CATALOG_WRITE: "Register, change and delete items and collections",
    Scope.CATALOG_REVIEW: "Publish and withdraw versions of items",
    Scope.CATALOG_WITHDRAWN: "See withdrawn versions of items, and read their files",
    Scope.CATALOG_PUBLICISE: "Open collections to everybody without login, and close them again",
    Scope.PRODUCTION_READ: "See releases, jobs, runs and their logs",
    Scope.PRODUCTION_PROPOSE: "Propose a notebook as a release",
    Scope.PRODUCTION_APPROVE: "Approve or refuse a proposed release",
    Scope.PRODUCTION_PUBLICISE: "Open releases and jobs to everybody without login, and close them",
    Scope.PRODUCTION_OPERATE: "Create jobs; start, cancel and retry runs",
    Scope.RUN_PUBLISH: "Report and publish on behalf of one run (only tokens of runs)",
    Scope.PLATFORM_ADMIN: "See the logs and state of the platform's own parts",
    Scope.PLATFORM_MEASURE: "Read what the platform's parts measure of themselves",
    Scope.PLATFORM_AUDIT: "Read who changed what",
    Scope.BUDGETS_READ: "See the budgets of everybody, and all courses",
    Scope.BUDGETS_MANAGE: "Set budgets, and keep seats for courses",
    Scope.BUDGETS_RESERVE: "Reserve and count what starts (only the hub and the gateway)",
    Scope.PLATFORM_ANNOUNCE: "Announce maintenance to everybody, on the status page",
    Scope.PROJECTS_DECIDE: "Decide about the members of one's own projects",
    Scope.PROJECTS_READ: "See all projects, who is in them, and who asks for access",
    Scope.PROJECTS_MANAGE: "Make projects, and decide about all of them",
    Scope.PROJECTS_LOOK_UP: "See to which projects a person belongs (only the hub)",
}

SCIENTIST = frozenset(
    {
        Scope.CATALOG_READ,
        Scope.CATALOG_WRITE,
        Scope.PRODUCTION_READ,
        Scope.PRODUCTION_PROPOSE,
        Scope.PROJECTS_DECIDE,
    }
)
REVIEWER = frozenset(
    {
        Scope.CATALOG_READ,
        Scope.CATALOG_REVIEW,
        Scope.CATALOG_WITHDRAWN,
        Scope.PRODUCTION_READ,
        Scope.PRODUCTION_APPROVE,
        Scope.PROJECTS_DECIDE,
    }
)
OPERATOR = frozenset(
    {
        Scope.CATALOG_READ,
        Scope.CATALOG_WITHDRAWN,
        Scope.PRODUCTION_READ,
        Scope.PRODUCTION_OPERATE,
        Scope.PLATFORM_MEASURE,
        Scope.PLATFORM_AUDIT,
        Scope.BUDGETS_READ,
        Scope.BUDGETS_MANAGE,
        Scope.PLATFORM_ANNOUNCE,
        Scope.PROJECTS_READ,
        Scope.PROJECTS_MANAGE,
        Scope.PROJECTS_DECIDE,
    }
)
PUBLICISER = frozenset({Scope.CATALOG_PUBLICISE, Scope.PRODUCTION_PUBLICISE})
ADMIN = SCIENTIST | REVIEWER | OPERATOR | PUBLICISER | {Scope.PLATFORM_ADMIN}
RUN = frozenset({Scope.CATALOG_READ, Scope.RUN_PUBLISH})

ROLES: dict[str, frozenset[Scope]] = {
    "scientist": SCIENTIST,
    "reviewer": REVIEWER,
    "operator": OPERATOR,
    "admin": ADMIN,
    "run": RUN,
}
"""Role name to scopes. `run` belongs to project accounts, never to people."""

PROJECTS_GROUP = "projects"
"""The hub group of project accounts: hub users without login on whose behalf runs act."""

PEOPLE_ROLES = ("scientist", "reviewer", "operator", "admin")
"""The roles that a person, or a program of an own account, may have."""

ROLE_GROUP_PREFIX = "role:"
"""How hub groups begin that give a role and are no project: ``role:reviewer``."""


def list_projects(groups: frozenset[str]) -> frozenset[str]:
    """Return which of a holder's hub groups are projects."""
    return frozenset(
        group
        for group in groups
        if group != PROJECTS_GROUP and not group.startswith(ROLE_GROUP_PREFIX)
    )
