"""Upkeep: what a prune removed, or would remove, and what it found amiss."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel

from skerry.models.values import ANSWER


class Kind(StrEnum):
    """The kinds of things that a prune removes."""

    SCRATCH = "scratch of attempts that ended"
    UNFINISHED = "environments that were not finished"
    LOG = "older parts of logs"
    RUN = "files of runs past their time"
    ENVIRONMENT = "environments that nothing uses"
    GRANT = "bytes of expired grants and deleted items"
    UNNAMED = "bytes that no record names"
    HISTORY = "finished work in the workflow engine"


class Entry(BaseModel):
    """A thing that was removed or can be.

    Attributes
    ----------
    kind
        What it is.
    name
        A path of this machine, a key or prefix of the object store, or the id of a workflow.
    size
        Its bytes; 0 for rows of a table.
    count
        How many things it is: 1, but for rows of a table.
    """

    model_config = ANSWER

    kind: Kind
    name: str
    size: int
    count: int = 1


class Lost(BaseModel):
    """A record whose bytes are gone, or are others than those that were registered.

    Attributes
    ----------
    record
        The record, in words: ``item scene-1 of lakes, version 2``.
    prefix
        Where its bytes should be.
    """

    model_config = ANSWER

    record: str
    prefix: str


class Sum(BaseModel):
    """How many things of a kind, and how many bytes."""

    model_config = ANSWER

    kind: Kind
    count: int
    size: int


class PruneReport(BaseModel):
    """The result of a prune.

    Attributes
    ----------
    done
        Whether it removed things; if not, it only listed them.
    entries
        What it removed, or would remove.
    left
        What it could not remove, and why.
    unnamed
        Bytes that no record names. Unless asked, they stay.
    lost
        Records whose bytes are gone. Nothing is done about them.
    changed
        Records whose bytes were written again after they were registered. Nothing is done.
    skipped
        Why it could not look everywhere, if so: the database did not answer.
    """

    model_config = ANSWER

    done: bool
    entries: list[Entry] = []
    left: list[str] = []
    unnamed: list[Entry] = []
    lost: list[Lost] = []
    changed: list[Lost] = []
    skipped: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.entries)

    def sum_up(self) -> list[Sum]:
        """Return the sum of each kind that occurs."""
        return [
            Sum(
                kind=kind,
                count=sum(entry.count for entry in found),
                size=sum(entry.size for entry in found),
            )
            for kind in Kind
            if (found := [entry for entry in self.entries if entry.kind is kind])
        ]


class LastPrune(BaseModel):
    """The last prune of a platform, by the worker or by a person.

    Attributes
    ----------
    ended
        When it ended.
    sums
        What it removed.
    freed
        Bytes in all.
    unnamed, unnamed_size
        How many prefixes hold bytes that no record names, and how many bytes.
    lost
        How many records have lost their bytes.
    changed
        How many records have other bytes than were registered.
    examples
        Some prefixes of all three.
    """

    model_config = ANSWER

    ended: AwareDatetime
    sums: list[Sum]
    freed: int
    unnamed: int
    unnamed_size: int
    lost: int
    changed: int = 0
    examples: list[str]
