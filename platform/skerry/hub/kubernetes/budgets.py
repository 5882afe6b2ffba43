"""Servers of people reserve of budgets before they start, and are counted when they end."""

from typing import Any
from uuid import uuid4

from jupyterhub.spawner import SpawnException

from skerry.core.cluster_hub_settings import ClusterHubSettings, read_token
from skerry.core.errors import SkerryError
from skerry.hub.kubernetes.budget_desk import BudgetDesk
from skerry.hub.kubernetes.volumes import list_groups

SPAWNER = "spawner"
"""The service with whose token the hub asks."""


class RefusedStartError(SpawnException):  # type: ignore[misc]
    """A server may not start: its person reads the sentence, the hub's log has a line of it."""

    def __init__(self, error: SkerryError, reason: str) -> None:
        super().__init__(str(error), reason=reason, status_code=error.status)
        self.jupyterhub_message = str(error)
        """What the hub's page says of a start that was under way: it knows no other words."""


def set_budgets(config: Any, settings: ClusterHubSettings) -> None:
    """Let servers reserve before they start, if the settings say so.

    Raises
    ------
    SkerryError
        If the token of the service is missing.
    """
    if not settings.budgets.enabled:
        return
    url, hours = settings.find_url("api"), settings.budgets.hold_hours
    longest = settings.idle.longest_hours
    hours = min(hours, longest) if longest else hours
    config.PersonSpawner.desk = BudgetDesk(url, read_token(SPAWNER), hours)
    config.PersonSpawner.post_stop_hook = end_reservation


async def find_projects(spawner: Any) -> None:
    """Let a server know the projects of the platform to which its person belongs now.

    Raises
    ------
    RefusedStartError
        If nobody says it: the server would lack their folders.
    """
    try:
        found = await spawner.desk.list_projects(spawner.user.name)
    except SkerryError as error:
        raise RefusedStartError(error, "projects") from None
    spawner.works_in, spawner.reads = found


async def reserve_server(spawner: Any) -> None:
    """Reserve what a person's server may use; its size is known from the chosen profile.

    Raises
    ------
    RefusedStartError
        If it may not start; the hub's page, and its API, show the words.
    """
    spawner.reservation = uuid4().hex
    try:
        await spawner.desk.reserve(
            id=spawner.reservation, kind="server", name=f"{spawner.user.name}/{spawner.name}",
            account=spawner.user.name, groups=sorted(list_groups(spawner)),
            profile=(spawner.user_options or {}).get("profile", ""),
            cores=spawner.cpu_limit or 0, memory=spawner.mem_limit or 0,
        )  # fmt: skip
    except SkerryError as error:
        spawner.reservation = ""
        raise RefusedStartError(error, "budget") from None


async def end_reservation(spawner: Any) -> None:
    """Count what a server has used, when it has ended; also after a start that failed."""
    if spawner.reservation:
        await spawner.desk.end(spawner.reservation)
        spawner.reservation = ""
