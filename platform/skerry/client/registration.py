"""Registers all files that were written under a grant, or none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from skerry.client.grants import Grant
from skerry.client.references import find_item, parse_reference
from skerry.client.session import Session, join_address
from skerry.core.errors import BusyError, SkerryError, UnavailableError
from skerry.core.patience import COPYING_S, ask_patiently
from skerry.models.versions import VersionStatus
from skerry.storage.homes import find_written


@dataclass
class Registration:
    """The registration of a write grant's files in the catalogue.

    Attributes
    ----------
    session
        The session of the account that writes.
    grant
        The grant of the files.
    keep
        Whether the files belong, or may belong, to an item, so that they must stay.
    """

    session: Session
    grant: Grant
    keep: bool = False

    def register(
        self, item: dict[str, Any], *, replace: bool = False, again: bool = False
    ) -> dict[str, Any]:
        """Register an item in one conditional call.

        Parameters
        ----------
        item
            Its ``skerry:prefix`` must be the grant's.
        replace
            Supersede an item of the same name with another digest.
        again
            Register it although this content was withdrawn.

        Returns
        -------
        dict
            The catalogue's item: the earlier item if it has the same digest.

        Raises
        ------
        ConflictError
            If the name is taken by another digest, or this content was withdrawn.
        """
        reference = parse_reference(item)
        path = join_address("stac", "collections", reference.collection, "items")
        rules = {"replace": replace, "again": again}
        params = {name: "true" for name, chosen in rules.items() if chosen} or None

        def ask() -> Any:
            return self.session.request(
                "POST", path, json=item, params=params, answer_within_s=COPYING_S
            )

        try:
            item_record = ask_patiently(ask, COPYING_S, waits_for=BusyError)
        except UnavailableError:
            item_record = self._look_again(item)
        prefix = str(item_record["properties"].get("skerry:prefix"))
        self.keep = find_written(prefix) == self.grant.prefix
        return dict(item_record)

    def _look_again(self, item: dict[str, Any]) -> dict[str, Any]:
        """Find out the result of a call whose answer was lost.

        Without an answer, the item may be registered, so the files stay.
        """
        self.keep = True
        there = find_item(self.session, parse_reference(item))
        if there is None or not _is_same(there, item):
            self.keep = False
            raise UnavailableError(
                f"The platform at {self.session.url} did not register {item['id']!r}.",
                remedy="Try again; no files of this attempt remain.",
            )
        return there


@contextmanager
def register_folder(session: Session, grant: Grant) -> Iterator[Registration]:
    """At the end remove the granted folder and give the grant back, unless an item holds it."""
    registration = Registration(session, grant)
    try:
        yield registration
    finally:
        if not registration.keep:
            # The platform's maintenance ends grants that were not given back.
            with suppress(OSError, SkerryError):
                grant.objects.remove(grant.prefix)
            with suppress(SkerryError):
                session.request("DELETE", join_address("grants", grant.id))


def _is_same(there: dict[str, Any], item: dict[str, Any]) -> bool:
    """Return whether two items have the same bytes, or come from the same source.

    A withdrawn item is not what somebody registers now.
    """
    return there["properties"].get("skerry:status") != VersionStatus.WITHDRAWN and any(
        item["properties"].get(name) not in (None, "")
        and there["properties"].get(name) == item["properties"].get(name)
        for name in ("skerry:digest", "skerry:source_digest")
    )
