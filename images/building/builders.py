"""The programs that build images, docker, podman and buildah, and what differs between them."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHOICE = "SKERRY_IMAGE_BUILDER"
_NAMES = ("docker", "podman", "buildah")
_ANSWER_S = 30


class NoBuilderError(Exception):
    """No program that builds images works here."""


@dataclass(frozen=True)
class ImageFacts:
    """What a builder says about an image.

    Attributes
    ----------
    digest
        Of its configuration: the same content and settings, the same digest.
    size
        Bytes of all layers, not compressed.
    layers
        Number of layers.
    """

    digest: str
    size: int
    layers: int


@dataclass(frozen=True)
class Builder:
    """One of the programs.

    Attributes
    ----------
    name
        Its name on PATH.
    """

    name: str

    @property
    def reads_only(self) -> bool:
        """Whether it starts containers whose root cannot be written."""
        return self.name != "buildah"

    def name_build(
        self,
        tag: str,
        dockerfile: Path,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        secrets: Mapping[str, Path],
    ) -> list[str]:
        """Return the command that builds an image of the folder in which it is started.

        Labels are given here, not to the Dockerfile as arguments: buildah takes a layer of labels
        from an earlier build, whatever the arguments are, and with it an earlier commit's name.
        """
        # health commands are a thing of docker's format
        form = [] if self.name == "docker" else ["--format", "docker", "--layers"]
        return [
            self.name,
            "build" if self.name != "buildah" else "bud",
            *form,
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            *(f"--label={name}={value}" for name, value in labels.items()),
            *(f"--secret=id={name},src={path}" for name, path in secrets.items()),
            f"--tag={tag}",
            f"--file={dockerfile}",
            ".",
        ]

    @contextmanager
    def open_container(self, tag: str) -> Iterator[str]:
        """Give the name that `name_run` takes: the image's, or for buildah a container's."""
        if self.name != "buildah":
            yield tag
            return
        container = self._ask("from", "--pull-never", tag)
        try:
            yield container
        finally:
            self._ask("rm", container)

    def name_run(
        self, opened: str, mounts: Mapping[Path, str], command: Sequence[str]
    ) -> list[str]:
        """Return the command that runs a program in an image, as the image's account.

        Parameters
        ----------
        mounts
            Folders of this machine to read, and where the program finds them.
        """
        if self.name == "buildah":
            volumes = [f"--volume={path}:{place}:ro" for path, place in mounts.items()]
            return [self.name, "run", *volumes, opened, "--", *command]
        volumes = [f"--volume={path}:{place}:ro" for path, place in mounts.items()]
        closed = ["--rm", "--read-only", "--tmpfs=/tmp:exec", "--network=none", "--cap-drop=ALL"]
        return [self.name, "run", *closed, *volumes, opened, *command]

    def describe(self, tag: str) -> ImageFacts:
        """Return digest and size of an image."""
        if self.name == "buildah":
            found = json.loads(self._ask("inspect", "--type=image", tag))
            size = json.loads(self._ask("images", "--json", tag))[0]["size"]
            layers = found["OCIv1"]["rootfs"]["diff_ids"]
            return ImageFacts(found["FromImageID"], _read_size(size), len(layers))
        [found] = json.loads(self._ask("image", "inspect", tag))
        digest = found["Id"].removeprefix("sha256:")
        return ImageFacts(digest, found["Size"], len(found["RootFS"]["Layers"]))

    def push(self, tag: str) -> str:
        """Push an image to the registry of its name; return its name there, with its digest."""
        if self.name == "docker":
            self._ask("push", "--quiet", tag)
            [pushed] = json.loads(self._ask("image", "inspect", tag))
            return str(pushed["RepoDigests"][0])
        with tempfile.NamedTemporaryFile("r") as digest:
            self._ask("push", f"--digestfile={digest.name}", tag, f"docker://{tag}")
            return f"{tag.rpartition(':')[0]}@{digest.read().strip()}"

    def works(self) -> bool:
        """Return whether it is there and does something."""
        if shutil.which(self.name) is None:
            return False
        asked = subprocess.run(
            [self.name, "images"], capture_output=True, check=False, timeout=_ANSWER_S
        )
        return asked.returncode == 0

    def _ask(self, *arguments: str) -> str:
        return subprocess.run(
            [self.name, *arguments], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()


_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _read_size(text: str) -> int:
    number, _, unit = text.partition(" ")
    return round(float(number) * _UNITS[unit.upper()])


def find_builder() -> Builder:
    """Return the first builder that works, or the one that `SKERRY_IMAGE_BUILDER` names.

    Raises
    ------
    NoBuilderError
        If there is none.
    """
    chosen = os.environ.get(CHOICE)
    for name in [chosen] if chosen else _NAMES:
        builder = Builder(name)
        if name in _NAMES and builder.works():
            return builder
    if chosen:
        raise NoBuilderError(
            f"{CHOICE} is {chosen!r}: that is not docker, podman or buildah, or does not work here."
        )
    raise NoBuilderError(
        "Images need docker, podman or buildah, and none of them works here: install one of them"
        " (Debian: apt-get install buildah) or start docker's server."
    )
