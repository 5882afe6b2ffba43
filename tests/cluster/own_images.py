"""The platform's own images, as `make images` left them in the store of what has built them."""

import shutil
from pathlib import Path

from tests.cluster.containers import Containerd
from tests.cluster.network import run

NAMES = ("skerry-hub", "skerry-services", "skerry-analysis")
REGISTRY = "localhost"
ROOT = Path(__file__).parents[2]
_BUILT_OF = ("platform/skerry", "requirements.lock", "images/*/requirements.lock")
_BUILDERS = ("buildah", "podman", "docker")
_REVISION = 'index .{}Config.Labels "org.opencontainers.image.revision"'


def find_tag(name: str) -> str:
    """Return the tag of the newest image of this name.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    asked = run(_find_builder(), "images", "--format", "{{.Name}} {{.Tag}}")
    tags = [line.split()[1] for line in asked.splitlines() if line.split()[0].endswith(f"/{name}")]
    if not tags:
        raise RuntimeError(f"There is no image {name}: make images")
    return tags[0]


def check_revisions() -> None:
    """Refuse images of different commits, or of another than is here.

    An attempt would say that its environment is another, or the hub would refuse the chart.

    Raises
    ------
    RuntimeError
        If they are; it says which is of which.
    """
    builder = _find_builder()
    by_buildah = builder == "buildah"
    words = ("inspect", "--type=image") if by_buildah else ("image", "inspect")
    form = f"{{{{{_REVISION.format('OCIv1.' if by_buildah else '')}}}}}"
    found = {
        name: run(builder, *words, "--format", form, f"{REGISTRY}/{name}:{find_tag(name)}").strip()
        for name in NAMES
    }
    if len(set(found.values())) > 1:
        raise RuntimeError(f"The images are of different commits, {found}: make images")
    revision = found[NAMES[0]].removesuffix("-changed")
    compare = ("git", "-C", str(ROOT), "diff", "--name-only", revision, "--", *_BUILT_OF)
    if changed := run(*compare).split():
        raise RuntimeError(
            f"The images are of the commit {revision}, and {changed[0]} has changed since: a chart "
            "may name settings that they do not know. Build them again: make images"
        )


def import_image(containerd: Containerd, folder: Path, name: str) -> str:
    """Bring an image to a node, under the name by which the chart asks for it; return its digest.

    The digest is that of the image on the node: what another registry would show is another.
    """
    whole = f"{REGISTRY}/{name}:{find_tag(name)}"
    archive = folder / f"{name}.tar"
    builder = _find_builder()
    if builder == "docker":
        run("docker", "save", "--output", str(archive), whole)
    else:
        run(builder, "push", "--quiet", whole, f"docker-archive:{archive}:{whole}")  # not packed
    try:
        return containerd.take_image(archive, whole)
    finally:
        archive.unlink()


def _find_builder() -> str:
    for name in _BUILDERS:
        if shutil.which(name) is not None:
            return name
    raise RuntimeError("Neither buildah, podman nor docker is here: apt-get install buildah")
