"""Values of environment variables as the description of a pod writes them."""


def escape_references(value: str) -> str:
    """Return a value that reaches the container as it is: Kubernetes fills in ``$(NAME)``.

    Source: the API's reference, EnvVar ``value``: ``$$`` becomes ``$``, and what it begins is
    filled in no more.
    """
    return value.replace("$", "$$")
