"""Which image has which environment, where runs are pods: the registry that an operator keeps.

It is the same for the api, which refuses at an approval what no image has, and for the workers.
"""

import os
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.models.releases import Environment
from skerry.production.environments import describe_environment, digest_environment

IMAGE_VARIABLE = "SKERRY_JOBS_IMAGE"
IMAGES_VARIABLE = "SKERRY_JOBS_IMAGES"
_PINNED = re.compile(r"\S{1,300}@(sha256:[0-9a-f]{64})")
_TABLE = TypeAdapter(dict[str, str])


class Images(BaseModel):
    """The images in which runs may take place.

    Attributes
    ----------
    own
        The image that has the environment of this Skerry, pinned by digest: `SKERRY_JOBS_IMAGE`.
    others
        Digest of another environment to the image that has it: `SKERRY_JOBS_IMAGES`, a JSON
        object. These are environments of an earlier Skerry, with more wheels, or of a team's own
        image.
    """

    model_config = ConfigDict(frozen=True)

    own: str
    others: Mapping[str, str] = {}

    @classmethod
    def from_environment(cls) -> "Images | None":
        """Read the two variables; return None where runs have no images: on one machine.

        Raises
        ------
        InvalidInputError
            If an image is not pinned, or the second is no table; it names the value.
        """
        own = os.environ.get(IMAGE_VARIABLE)
        if not own:
            return None
        return cls(own=check_image(IMAGE_VARIABLE, own), others=read_images() or {})

    def find(self, environment: Environment) -> str | None:
        """Return the image that has an environment, None where none is known.

        An environment that names an image has that image, by its digest, and no other.
        """
        named = environment.get("image")
        if named is None and describe_environment() == dict(environment):
            return self.own
        found = self.others.get(digest_environment(environment))
        if named is not None and found is not None and _read_digest(found) != _read_digest(named):
            return None
        return found


def check_environment(environment: Environment, images: Images | None) -> None:
    """Refuse an environment in which runs of this platform cannot take place.

    Parameters
    ----------
    images
        The images of the platform; None where it has none: on one machine.

    Raises
    ------
    ConflictError
        It says what an operator has to do.
    """
    named = environment.get("image")
    if images is None:
        if named is not None:
            raise ConflictError(
                f"The release needs the image {named}, and runs of this platform are processes "
                "of one machine.",
                remedy="Approve it on a platform on Kubernetes, or propose it without an image.",
            )
        return
    if images.find(environment) is not None:
        return
    digest = digest_environment(environment)
    what = f"the image {named}" if named else f"an image with the environment {digest}"
    entry = f"{digest}: {named or 'NAME@sha256:...'}"
    raise ConflictError(
        f"The release needs {what}, which nobody has registered here.",
        remedy=f"Have the operator add '{entry}' to {IMAGES_VARIABLE} (servers.images of the "
        "chart's values), then approve again.",
    )


def check_image(what: str, image: str) -> str:
    """Return the name of an image.

    Raises
    ------
    InvalidInputError
        If it is not pinned by its digest.
    """
    if not _PINNED.fullmatch(image):
        raise InvalidInputError(
            f"{what} names {image[:120]!r}, which is not pinned.",
            remedy="Name the image with its digest: registry/name@sha256:<64 digits>.",
        )
    return image


def read_images() -> dict[str, str] | None:
    """Return `SKERRY_JOBS_IMAGES`, None if it is not set; refuse what is no table of images."""
    text = os.environ.get(IMAGES_VARIABLE)
    if not text:
        return None
    try:
        images = _TABLE.validate_json(text)
    except ValidationError:
        raise InvalidInputError(
            f"{IMAGES_VARIABLE} is {text[:120]!r}, which is no table of images.",
            remedy='Write a JSON object: {"<digest of an environment>": "<pinned image>"}.',
        ) from None
    return {digest: check_image(IMAGES_VARIABLE, image) for digest, image in images.items()}


def _read_digest(image: str) -> str:
    return image.rpartition("@")[2]
