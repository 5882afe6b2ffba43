"""The parts of a release, for the people who decide on it: its notebook and its wheels."""

from skerry.core.digests import digest_bytes
from skerry.core.errors import NotFoundError
from skerry.models.releases import Release
from skerry.production.environments import find_ingredients
from skerry.production.releases import check_pinned
from skerry.storage.layout import DataFolder


def read_release_notebook(data: DataFolder, release: Release) -> bytes:
    """Return a release's notebook, after checking that it is the pinned notebook.

    Raises
    ------
    InvalidInputError
        If the stored file was changed.
    """
    content: bytes = (data.objects / release.notebook_key).read_bytes()
    check_pinned(digest_bytes(content), release)
    return content


def read_release_wheel(data: DataFolder, release: Release, name: str) -> bytes:
    """Return a wheel that a release adds.

    Raises
    ------
    NotFoundError
        If the release has no wheel of that name, or the stored wheel was changed.
    """
    wheels = release.environment["wheels"]
    path = find_ingredients(data, release.environment_digest) / name
    if name in wheels and path.is_file():
        content = path.read_bytes()
        if digest_bytes(content) == wheels[name]:
            return content
    raise NotFoundError(
        f"The release {release.id} has no wheel {name[:140]!r}, or its file was changed.",
        remedy=f"Its wheels are {', '.join(wheels) or 'none'}.",
    )
