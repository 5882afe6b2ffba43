"""How many examples a property test tries: all of them, or a few with `--quick`."""

from hypothesis import settings

QUICK = "quick"
settings.register_profile(QUICK, max_examples=20, deadline=None)


def examples(count: int) -> int:
    """Return the number of examples of a test that tries `count` of them in a whole run."""
    if settings.get_current_profile_name() == QUICK:
        return max(3, count // 5)
    return count
