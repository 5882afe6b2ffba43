"""What a node makes of the values of a pod's variables, by the reference of Kubernetes' API."""

import re
from collections.abc import Mapping

ODD = "$(HOME) $5 $$ {x}"
"""A value that places might fill in, each in its way."""


def expand_references(value: str, variables: Mapping[str, str]) -> str:
    """Fill in ``$(NAME)`` of the variables before it; ``$$`` is ``$``."""

    def fill(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", fill, value)
