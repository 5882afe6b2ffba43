"""A SAFE product being read, and the folder of one being written."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from skerry.core.errors import InvalidInputError
from skerry.products.safe.documents import Document, DocumentBuilder
from skerry.products.safe.files import ProductFiles
from skerry.products.sensors.mapping import Mapping

SUFFIXES = (".zip", ".SAFE", ".SEN3")
"""What product names have at their end on disk, outermost first."""


@dataclass(frozen=True)
class SafeProduct:
    """A product being read.

    Attributes
    ----------
    files
        Its files.
    mapping
        Its type.
    missing
        Filled with what a complete product has and this one lacks.
    healed
        Filled with the wounds that reading healed, in words.
    damaged
        Filled with what is wrong with files whose variables are left out, in words.
    """

    files: ProductFiles
    mapping: Mapping
    missing: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The product's name as its folder or archive has it, without suffixes."""
        name = self.files.prefix.rstrip("/") or self.files.path.name
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        return name

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Role to metadata document, those of `Mapping.expected` if they are there.

        Raises
        ------
        InvalidInputError
            If one of `Mapping.documents` is missing, or any is broken.
        """
        found = {}
        for role, pattern in self.mapping.documents.items():
            name = self.files.find(pattern)
            if name is None:
                raise InvalidInputError(
                    f"{self.files.path} has no {pattern}.",
                    remedy=f"Give a complete {self.mapping.title} product, folder or zip archive.",
                )
            found[role] = Document(self.files, name)
        for role, pattern in self.mapping.expected.items():
            name = self.files.find(pattern)
            if name is not None and name.endswith((".xml", ".safe")):
                found[role] = Document(self.files, name)
        return found


@dataclass(frozen=True)
class SafeFolder:
    """A product being written.

    Attributes
    ----------
    root
        The folder that is filled.
    mapping
        Its type.
    names
        What stands for the parts of file patterns that have stars: the pattern from the
        product's root up to such a part, or that part alone, to the part's name; both may hold
        ``{source}``.
    documents
        Role to document being built; formats may put into them.
    """

    root: Path
    mapping: Mapping
    names: dict[str, str]
    documents: dict[str, DocumentBuilder] = field(default_factory=dict)

    def place(self, pattern: str, source: str = "") -> Path:
        """Return the path of a file to write, its folder made.

        Raises
        ------
        InvalidInputError
            If a part with a star has no name.
        """
        parts: list[str] = []
        above: list[str] = []
        for part in pattern.split("/"):
            above.append(part)
            known = self.names.get("/".join(above), self.names.get(part, part))
            if "*" in known:
                raise InvalidInputError(
                    f"Nothing says what {part!r} of {pattern!r} is called.",
                    remedy="Name it in `names`.",
                )
            parts.append(known.replace("{source}", source))
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
