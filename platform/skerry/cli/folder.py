"""The option that names the data folder, the same in every command that needs one."""

from pathlib import Path

import click

from skerry.core.settings import default_data_folder

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    default=default_data_folder,
    show_default="SKERRY_DATA, else the user's data directory",
    help="The platform's data folder.",
)
"""``--data``: the data folder as an absolute path."""
