"""What everybody may know of the platform, and the end-to-end run, over HTTP."""

from skerry.client.session import Session, join_address
from skerry.models.notices import EndToEndResult, EndToEndStart, Maintenance, Notices


def fetch_notices(session: Session) -> Notices:
    """Return planned maintenance and the last end-to-end run that succeeded."""
    return session.fetch(Notices, "GET", "platform/notices")


def announce_maintenance(session: Session, maintenance: Maintenance) -> Notices:
    """Announce maintenance, in place of what was announced before."""
    return session.fetch(Notices, "PUT", "platform/maintenance", json=maintenance)


def withdraw_maintenance(session: Session) -> None:
    """Withdraw the maintenance that was announced."""
    session.request("DELETE", "platform/maintenance")


def start_end_to_end(session: Session) -> EndToEndStart:
    """Start a run of the platform's own small notebook."""
    return session.fetch(EndToEndStart, "POST", "platform/end-to-end")


def end_end_to_end(session: Session, name: str, result: EndToEndResult) -> None:
    """Have everything removed that an end-to-end run has made, and say how it went."""
    path = join_address("platform", "end-to-end", name, "end")
    session.request("POST", path, json=result.model_dump(mode="json"))
