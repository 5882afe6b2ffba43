"""Checks of a profile's rules."""


def old_names(profile: str | None) -> frozenset[str]:
    """Return the old attribute names that a profile prescribes."""
    del profile
    return frozenset()
