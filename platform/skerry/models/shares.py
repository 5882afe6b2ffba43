"""Shares: a collection, a release or a job given to an owner who does not own it."""

from typing import Literal

from pydantic import BaseModel

from skerry.models.values import ANSWER, ORDER, Name


class Share(BaseModel):
    """To whom a collection is given, ``person:<name>`` or ``project:<name>``, and for what.

    Attributes
    ----------
    verb
        ``see``: find and read; ``change``: also register and delete items, decide about a
        release, or start and end the runs of a job and read their logs.
    """

    model_config = ANSWER

    holder: str
    verb: Literal["see", "change"]


class ShareOrder(BaseModel):
    """The request that gives something to somebody."""

    model_config = ORDER

    verb: Literal["see", "change"] = "see"


class OwnerOrder(BaseModel):
    """The request that lets something belong to a person or a project."""

    model_config = ORDER

    owner: Name


class ShareList(BaseModel):
    """To whom something is given, by name.

    Attributes
    ----------
    remark
        Why nobody has checked whether the new holder is there; empty if the hub knows them.
    """

    model_config = ANSWER

    shares: list[Share]
    remark: str = ""


class PublicOrder(BaseModel):
    """The request that opens something to everybody without login, or closes it again."""

    model_config = ORDER

    public: bool
