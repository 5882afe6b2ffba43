"""Proposing: from a notebook's JSON and extra wheels to a release that waits for a decision."""

import base64
import binascii

from sqlalchemy import Engine

from skerry.core.digests import digest_bytes
from skerry.core.errors import InvalidInputError
from skerry.core.ids import check_name
from skerry.models.releases import ExtraWheel, Proposal, Release
from skerry.production.environments import (
    describe_environment,
    find_lock,
    list_locked,
    store_environment,
)
from skerry.production.images import check_image
from skerry.production.notebook_checks import check_runnable
from skerry.production.notebooks import encode_notebook, normalise_notebook
from skerry.production.parameters import read_parameters
from skerry.production.releases import insert_release, name_notebook, new_release_id
from skerry.production.wheels import check_wheel
from skerry.storage.objects import Objects
from skerry.storage.recording import Actor, writing

_LARGEST_WHEEL = 64 * 2**20


def propose_release(
    engine: Engine, objects: Objects, proposal: Proposal, *, by: Actor, owner: str
) -> Release:
    """Pin a notebook and the running environment, and record the proposal of an owner.

    The files are written before the row: a kill in between leaves files that no row names.

    Raises
    ------
    InvalidInputError
        If the notebook, its parameters cell or a wheel cannot be used, or the image is not pinned.
    """
    check_name(proposal.name, what="release name")
    notebook = normalise_notebook(proposal.notebook)
    schema = read_parameters(notebook)
    check_runnable(notebook)
    content = encode_notebook(notebook)
    wheels = {wheel.filename: _decode(wheel) for wheel in proposal.extra_wheels}
    if len(wheels) < len(proposal.extra_wheels):
        raise InvalidInputError("A wheel is given twice.", remedy="Give each wheel once.")
    locked = list_locked(find_lock()) if wheels else {}
    environment = describe_environment(
        {name: check_wheel(name, content, locked) for name, content in wheels.items()},
        None if proposal.image is None else check_image("The proposal", proposal.image),
    )
    release_id = new_release_id()
    objects.write(name_notebook(release_id), content)
    store_environment(objects, environment, wheels)
    with writing(engine, by) as connection:
        return insert_release(
            connection,
            name=proposal.name,
            notebook_digest=digest_bytes(content),
            environment=environment,
            schema=schema,
            by=by.name,
            release_id=release_id,
            owner=owner,
        )


def _decode(wheel: ExtraWheel) -> bytes:
    try:
        content = base64.b64decode(wheel.content, validate=True)
    except binascii.Error:
        content = b""
    if not content or len(content) > _LARGEST_WHEEL:
        raise InvalidInputError(
            f"The wheel {wheel.filename!r} is empty, too large or not base64.",
            remedy="Send at most 64 MiB a wheel.",
        )
    return content
