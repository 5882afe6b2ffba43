"""Shares: a collection given to a person or a project that does not own it."""

from typing import Literal

from pydantic import BaseModel

from skerry.models.values import ANSWER, ORDER, Name


class Share(BaseModel):
    """To whom a collection is given, ``person:<name>`` or ``project:<name>``, and for what.

    Attributes
    ----------
    verb
        ``see``: find and read; ``change``: also register and delete items.
    """

    model_config = ANSWER

    holder: str
    verb: Literal["see", "change"]


class ShareOrder(BaseModel):
    """The request that gives a collection to somebody."""

    model_config = ORDER

    verb: Literal["see", "change"] = "see"


class OwnerOrder(BaseModel):
    """The request that lets something belong to a person or a project."""

    model_config = ORDER

    owner: Name


class ShareList(BaseModel):
    """To whom a collection is given, by name."""

    model_config = ANSWER

    shares: list[Share]
