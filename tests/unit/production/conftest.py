"""A migrated database of either kind, and a released notebook with a job."""

from typing import Any

import pytest
from sqlalchemy import Engine
from tests.databases import data, engine

from skerry.models.jobs import JobOrder
from skerry.production.jobs import create_job
from skerry.production.parameters import read_parameters
from skerry.production.releases import approve_release, insert_release, new_release_id

__all__ = ["data", "engine"]

ENVIRONMENT = {"lock": "1e20aa", "package": "1e20bb", "python": "3.13", "wheels": {}}


def make_notebook(parameters: str = "minute: int = 0", imports: str = "") -> dict[str, Any]:
    """Return a notebook with a parameters cell, below a cell that imports names of datetime."""
    sources = [(f"from datetime import {imports}", [])] if imports else []
    cells = [
        {
            "cell_type": "code", "id": f"c{number}", "metadata": {"tags": tags}, "source": source,
            "outputs": [], "execution_count": None,
        }
        for number, (source, tags) in enumerate([*sources, (parameters, ["parameters"])])
    ]  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def propose(
    engine: Engine, name: str = "water", parameters: str = "minute: int = 0", imports: str = ""
) -> str:
    """Record a proposal and return its id."""
    with engine.begin() as connection:
        return str(
            insert_release(
                connection,
                name=name,
                notebook_digest="1e20cc",
                environment=ENVIRONMENT,
                schema=read_parameters(make_notebook(parameters, imports)),
                by="ada",
                release_id=new_release_id(),
            ).id
        )


@pytest.fixture
def release(engine: Engine) -> str:
    release_id = propose(engine)
    with engine.begin() as connection:
        approve_release(connection, release_id, by="ada", own=True)
    return release_id


@pytest.fixture
def job(engine: Engine, release: str) -> str:
    order = JobOrder(name="lakes", release=release, policy={"review": "none"})
    with engine.begin() as connection:
        create_job(connection, order, by="ada")
    return "lakes"
