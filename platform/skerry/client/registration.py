"""Registers files that were written under a grant: all or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from skerry.client.grants import Grant
from skerry.client.references import find_item, parse_reference
from skerry.client.session import Session, join_address
from skerry.core.errors import SkerryError, UnavailableError


@dataclass
class Registration:
    """One write grant's way into the catalogue.

    Attributes
    ----------
    session
        The session of the account that writes.
    grant
        The grant of the files.
    keep
        Whether the bytes belong to an item now (or may), so that they must stay.
    """

    session: Session
    grant: Grant
    keep: bool = False

    def register(self, item: dict[str, Any], *, replace: bool = False) -> dict[str, Any]:
        """Register an item in one conditional call.

        Parameters
        ----------
        item
            Its ``skerry:prefix`` must be the grant's.
        replace
            Take the place of an item of the same name but another digest.

        Returns
        -------
        dict
            The item as the catalogue has it: the earlier one if the same digest is there
            already.

        Raises
        ------
        ConflictError
            If the name is taken by another digest.
        """
        reference = parse_reference(item)
        path = join_address("stac", "collections", reference.collection, "items")
        params = {"replace": "true"} if replace else None
        try:
            item_record = self.session.request("POST", path, json=item, params=params)
        except UnavailableError:
            item_record = self._look_again(item)
        self.keep = item_record["properties"].get("skerry:prefix") == self.grant.prefix
        return dict(item_record)

    def _look_again(self, item: dict[str, Any]) -> dict[str, Any]:
        """Find out the result of a call whose answer was lost.

        While nobody answers, the item may well be registered: the bytes stay.
        """
        self.keep = True
        there = find_item(self.session, parse_reference(item))
        if there is None or not _is_same(there, item):
            self.keep = False
            raise UnavailableError(
                f"The platform at {self.session.url} did not register {item['id']!r}.",
                remedy="Try again; nothing was left behind.",
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
            shutil.rmtree(grant.folder, ignore_errors=True)
            # The platform's upkeep ends grants that nobody gave back.
            with suppress(SkerryError):
                session.request("DELETE", join_address("grants", grant.id))


def _is_same(there: dict[str, Any], item: dict[str, Any]) -> bool:
    """Return whether two items have the same bytes, or were made of the same source."""
    return any(
        item["properties"].get(name) not in (None, "")
        and there["properties"].get(name) == item["properties"].get(name)
        for name in ("skerry:digest", "skerry:source_digest")
    )
