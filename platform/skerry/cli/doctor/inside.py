"""The checks of `skerry doctor` in a pod of the platform, which has the variables of the parts."""

import os
from collections.abc import Iterator, Mapping

from skerry.cli.doctor import machine, state
from skerry.cli.doctor.findings import Finding, Look
from skerry.cli.doctor.parts import look_at_part, look_at_version
from skerry.cli.doctor.sign_on import look_at_sign_on
from skerry.core.gateway import ADDRESS_VARIABLE
from skerry.core.parts import read_parts
from skerry.core.settings import API_PREFIX, DATABASE_VARIABLE, MAPS_PREFIX
from skerry.storage.layout import DataFolder

_DESCRIBED = {"api": API_PREFIX, "maps": MAPS_PREFIX}
"""Parts that tell their version, and their paths."""


def is_inside(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this is a pod of the platform that opens its database."""
    return environment.get("SKERRY_ISOLATION") == "pod" and bool(environment.get(DATABASE_VARIABLE))


def look_at_database(folder: DataFolder) -> Iterator[Finding]:
    """Check the database as on one machine; tables that are not up to date stop all parts here."""
    for finding in state.look_at_database(folder):
        if finding.state == "attention":
            yield finding.model_copy(
                update={
                    "state": "broken",
                    "remedy": "'helm upgrade' brings tables up to date; 'kubectl get jobs' and "
                    "'kubectl logs job/skerry-migrations-N' say why it has not.",
                }
            )
        else:
            yield finding


def look_at_parts(_folder: DataFolder) -> Iterator[Finding]:
    """Ask each part that this pod reaches."""
    for name, address in _list_parts().items():
        yield from look_at_part(name, address)
        if name in _DESCRIBED:
            root = address.partition(_DESCRIBED[name])[0]
            yield from look_at_version(name, f"{root}{_DESCRIBED[name]}/openapi.json")


def _list_parts() -> dict[str, str]:
    """Return the parts that the chart names for this pod, else those that each pod reaches."""
    parts = read_parts()
    if parts:
        return parts
    door = os.environ.get("SKERRY_INTERNAL_URL", "").rstrip("/")
    hub = os.environ.get("JUPYTERHUB_API_URL", "").removesuffix("/api")
    gateway = os.environ.get(ADDRESS_VARIABLE, "").rstrip("/")
    return {
        **({"hub": f"{hub}/health"} if hub else {}),
        **({name: f"{door}{path}/ready" for name, path in _DESCRIBED.items()} if door else {}),
        **({"gateway": f"{gateway}/api/health"} if gateway else {}),
    }


CHECKS: dict[str, Look] = {
    "settings": machine.look_at_settings,
    "disk": machine.look_at_disk,
    "database": look_at_database,
    "clock": state.look_at_clock,
    "objects": state.look_at_objects,
    "upkeep": machine.look_at_upkeep,
    "packages": machine.look_at_packages,
    "parts": look_at_parts,
    "workers": machine.look_at_workers,
    "attempts": machine.look_at_attempts,
    "sign-on": look_at_sign_on,
}
