"""`skerry new processor NAME`: a project with a processor, its tests, and nothing else to do."""

import re
from pathlib import Path
from string import Template

import click

from skerry.cli.presenting import say
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.version import VERSION

_TEMPLATE = Path(__file__).parent / "processor"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 60


@click.group()
def new() -> None:
    """Start a project from a template.

    \b
    Example:
      skerry new processor lake-ice
    """  # noqa: D301


@new.command()
@click.argument("name")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path),
    help="Where the project is made. [default: a folder of the processor's name]",
)  # fmt: skip
def processor(*, name: str, folder: Path | None) -> None:
    """Make a project for a new processor, with tests that pass.

    \b
    Example:
      skerry new processor lake-ice
      cd lake-ice
      pytest
    """  # noqa: D301
    _check_name(name)
    target = folder or Path(name)
    write_project(name, target)
    say(
        f"{target} has the processor {name!r}: its function in src/, its tests in tests/.\n"
        f"Run 'pytest' there. README.md says how it gets into a release."
    )


def write_project(name: str, target: Path) -> None:
    """Write the template's files for a processor into a folder.

    Raises
    ------
    ConflictError
        If the folder has files already.
    """
    if target.exists() and any(target.iterdir()):
        raise ConflictError(
            f"The folder {str(target)!r} is not empty.", remedy="Name another with --folder."
        )
    words = {"name": name, "module": name.replace("-", "_"), "version": VERSION}
    for source in sorted(_TEMPLATE.rglob("*.in")):
        relative = str(source.relative_to(_TEMPLATE)).removesuffix(".in")
        path = target / relative.replace("MODULE", words["module"]).replace("dot.", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(source.read_text()).substitute(words))


def _check_name(name: str) -> None:
    """Refuse a name that is no module's, or is another processor's already."""
    from keyword import iskeyword

    from skerry.processors.registry import list_processors

    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or iskeyword(module):
        raise InvalidInputError(
            f"{name!r} cannot be a processor's name.",
            remedy="Use small letters, digits and single hyphens, a letter first: lake-ice.",
        )
    if name in {known.name for known in list_processors()} | {"skerry"}:
        raise InvalidInputError(
            f"A processor {name!r} exists already.", remedy="Choose another name."
        )
