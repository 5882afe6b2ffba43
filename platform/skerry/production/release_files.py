"""The parts of a release, for the people who decide on it: its notebook and its wheels."""

from skerry.core.digests import digest_bytes
from skerry.core.errors import NotFoundError
from skerry.models.releases import Release
from skerry.production.environments import name_ingredients
from skerry.production.releases import check_pinned
from skerry.storage.objects import Objects


def read_release_notebook(objects: Objects, release: Release) -> bytes:
    """Return a release's notebook, after checking that it is the pinned notebook.

    Raises
    ------
    InvalidInputError
        If the stored file was changed, or is gone.
    """
    content = objects.read(release.notebook_key) or b""
    check_pinned(digest_bytes(content), release)
    return content


def read_release_wheel(objects: Objects, release: Release, name: str) -> bytes:
    """Return a wheel that a release adds.

    Raises
    ------
    NotFoundError
        If the release has no wheel of that name, or the stored wheel was changed.
    """
    wheels = release.environment["wheels"]
    prefix = name_ingredients(release.environment_digest)
    content = objects.read(prefix + name) if name in wheels else None
    if content is not None and digest_bytes(content) == wheels[name]:
        return content
    raise NotFoundError(
        f"The release {release.id} has no wheel {name[:140]!r}, or its file was changed.",
        remedy=f"Its wheels are {', '.join(wheels) or 'none'}.",
    )


def remove_release_files(objects: Objects, release: Release) -> None:
    """Remove the notebook of a release whose record is gone; its environment may serve others."""
    objects.remove(f"{release.notebook_key.rpartition('/')[0]}/")
