"""``python -m skerry.cli``: the same as the command ``skerry``."""

from skerry.cli.main import main

main()
