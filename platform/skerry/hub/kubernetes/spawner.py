"""KubeSpawner, which also checks choices before it starts, and remembers why a server ended."""

from datetime import UTC, datetime
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Instance, Unicode

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.errors import InvalidInputError
from skerry.hub.kubernetes.budgets import RefusedStartError, find_projects, reserve_server
from skerry.hub.kubernetes.ends import GONE, explain_idleness, explain_pod
from skerry.hub.kubernetes.profiles import list_choices, list_profiles
from skerry.hub.kubernetes.sight import SightedSpawner
from skerry.hub.kubernetes.volumes import list_groups, list_mounts, list_volumes

_LAST_END, _RESERVATION = "last_end", "reservation"
_OPTIONS = frozenset({"profile", "image"})


class ChoiceError(InvalidInputError):
    """Somebody chose what they are not offered."""


class PersonSpawner(SightedSpawner):
    """A person's server as a pod.

    Attributes
    ----------
    settings
        Profiles, volumes, and when servers end.
    last_end
        Why the server ended, in words for its person; empty if they ended it. It outlives the
        server, and the hub.
    desk
        Where budgets are asked before a start; None where they do not count servers.
    works_in, reads
        Projects of the platform to which the person belonged when the server started.
    reservation
        What this start has reserved of budgets; empty if nothing.
    """

    settings = Instance(ClusterHubSettings, config=True, help="The settings of the hub.")
    last_end = Unicode("")
    desk = AnyTrait(None, config=True, help="Where budgets are asked before a start.")
    works_in: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    reservation = Unicode("")

    async def load_user_options(self) -> None:
        """Apply what the person chose, with the volumes of their groups, if a budget has room.

        Raises
        ------
        RefusedStartError
            If they are not offered it, as their groups decide; if a budget has not enough left,
            or the api does not answer.
        """
        if self.desk is not None:
            await find_projects(self)
        groups = list_groups(self)
        try:
            check_choice(self.user_options or {}, list_profiles(self.settings, groups))
        except ChoiceError as error:
            raise RefusedStartError(error, "choice") from None
        self.volumes = list_volumes(self.settings, groups | self.reads)
        self.volume_mounts = list_mounts(self.settings, groups, self.reads)
        # a start that failed leaves this object with its own choices, and KubeSpawner adds to them
        for name in ("node_selector", "extra_resource_limits", "extra_resource_guarantees"):
            setattr(self, name, {})
        await super().load_user_options()
        if self.desk is not None:
            await reserve_server(self)

    async def start(self) -> Any:
        """Start the server; the end of the last one is no news any more."""
        self.last_end = ""
        return await super().start()

    async def poll(self) -> int | None:
        """Return whether the server has ended; remember why, while Kubernetes still says it."""
        if not await self.can_see():
            return None
        pod = self.pod_reflector.pods.get(f"{self.namespace}/{self.pod_name}")
        if pod is not None and not self.last_end:
            self.last_end = explain_pod(pod)
        ended: int | None = await super().poll()
        if ended is not None and pod is None and self.server and not self.last_end:
            self.last_end = GONE
        return ended

    async def stop(self, now: bool = False) -> Any:
        """End the server; if nobody used it, remember that this is why."""
        if not self.last_end:
            record = self.orm_spawner
            self.last_end = explain_idleness(
                record.last_activity, record.started, self.settings.idle, datetime.now(UTC)
            )
        return await super().stop(now)

    def get_state(self) -> dict[str, Any]:
        """Return what the hub's database keeps."""
        state: dict[str, Any] = super().get_state()
        return {**state, _LAST_END: self.last_end, _RESERVATION: self.reservation}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what the hub's database has kept."""
        super().load_state(state)
        self.last_end = state.get(_LAST_END, "")
        self.reservation = state.get(_RESERVATION, "")


def check_choice(choice: dict[str, Any], offered: list[dict[str, Any]]) -> None:
    """Refuse what a person may not choose; what they left out gets its default.

    Raises
    ------
    ChoiceError
        It names the choice and what there is.
    """
    choices = list_choices(offered)
    if not choices:
        raise ChoiceError(
            "None of your groups has a profile here.",
            remedy="Ask the operator of the platform which group you need.",
        )
    for name in choice.keys() - _OPTIONS:
        raise ChoiceError(
            f"A server has no option {str(name)[:60]!r}.", remedy="Give 'profile' and 'image'."
        )
    for name, value in choice.items():
        if not isinstance(value, str | None):
            raise ChoiceError(
                f"The option {name!r} is {str(value)[:60]!r}, which is no name.",
                remedy="Give the name of what you choose.",
            )
    profile = choice.get("profile") or next(iter(choices))
    if profile not in choices:
        raise ChoiceError(
            f"There is no profile {str(profile)[:60]!r} for you.",
            remedy=f"Choose one of {', '.join(choices)}.",
        )
    image = choice.get("image")
    if image and image not in choices[profile]:
        raise ChoiceError(
            f"The profile {profile!r} has no environment {str(image)[:60]!r}.",
            remedy=f"Choose one of {', '.join(choices[profile])}.",
        )
