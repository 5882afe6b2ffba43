"""Tables that say to whom things are given: their form, and how they are read and changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Select,
    Table,
    delete,
    insert,
    select,
)

from skerry.core.ownership import Relation, Verb, Viewer, check_owner, relate
from skerry.models.shares import Share
from skerry.storage.columns import METADATA, PlainText


@dataclass(frozen=True)
class Shares:
    """A table of shares of one kind of thing.

    Attributes
    ----------
    table
        Its columns: the thing, ``holder`` and ``verb``.
    thing
        The column that names the thing.
    """

    table: Table
    thing: Column[str]

    def list_shares(self, connection: Connection, thing: str) -> list[Share]:
        """Return to whom a thing is given, by name."""
        query = select(self.table).where(self.thing == thing).order_by(self.table.c.holder)
        return [Share(holder=row.holder, verb=row.verb) for row in connection.execute(query)]

    def give(self, connection: Connection, thing: str, holder: str, verb: Verb) -> None:
        """Give a thing to an owner, with another verb than before if it was given already.

        Raises
        ------
        InvalidInputError
            If `holder` is not the name of an owner.
        """
        self.take_back(connection, thing, holder)
        values = {self.thing.name: thing, "holder": check_owner(holder), "verb": verb.value}
        connection.execute(insert(self.table).values(values))

    def take_back(self, connection: Connection, thing: str, holder: str) -> None:
        """Take a thing back; this changes nothing if it was not given."""
        condition = (self.thing == thing, self.table.c.holder == check_owner(holder))
        connection.execute(delete(self.table).where(*condition))

    def forget(self, connection: Connection, thing: str) -> None:
        """Take a thing back from everybody, because it is deleted."""
        connection.execute(delete(self.table).where(self.thing == thing))

    def select_given(self, viewer: Viewer) -> Select[str]:
        """Return the query for the things that are given to a viewer."""
        return select(self.thing).where(self._is_given_to(viewer))

    def find_given(self, connection: Connection, viewer: Viewer) -> dict[str, dict[str, Verb]]:
        """Return the things that are given to a viewer: to which of their names, and how."""
        if viewer.is_keeper or not viewer.owners:
            return {}
        shares: dict[str, dict[str, Verb]] = {}
        query = select(self.thing, self.table.c.holder, self.table.c.verb)
        for thing, holder, verb in connection.execute(query.where(self._is_given_to(viewer))):
            shares.setdefault(thing, {})[holder] = Verb(verb)
        return shares

    def relate(
        self, connection: Connection, viewer: Viewer, thing: str, owner: str, *, public: bool
    ) -> Relation:
        """Return what a thing is to a viewer."""
        shares = {share.holder: Verb(share.verb) for share in self.list_shares(connection, thing)}
        return relate(viewer, owner, public=public, shares=shares)

    def _is_given_to(self, viewer: Viewer) -> ColumnElement[bool]:
        return self.table.c.holder.in_(sorted(viewer.owners))


def make_shares(name: str, thing: str, key: str, info: Mapping[str, Any]) -> Shares:
    """Return the table of shares of one kind of thing.

    Parameters
    ----------
    name
        Its name.
    thing, key
        The column that names the thing, and what it refers to: ``collections.id``.
    info
        As `record_changes` returns it.
    """
    column = Column(thing, PlainText, ForeignKey(key, ondelete="CASCADE"), primary_key=True)
    table = Table(
        name,
        METADATA,
        column,
        Column("holder", PlainText, primary_key=True),
        Column("verb", PlainText, nullable=False),
        CheckConstraint("verb IN ('see', 'change')", name="verb"),
        Index(None, "holder"),
        info=dict(info),
    )
    return Shares(table, column)
