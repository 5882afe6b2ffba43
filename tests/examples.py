"""How many examples a property test tries: all with `--long`, else fewer, with `--quick` a few."""

from hypothesis import settings

QUICK, DAILY = "quick", "daily"
SHARES = {QUICK: 5, DAILY: 3}
"""Profile to what the numbers of examples are divided by."""

for _name, _share in SHARES.items():
    settings.register_profile(_name, max_examples=100 // _share, deadline=None)


def examples(count: int) -> int:
    """Return the number of examples of a test that tries `count` of them in a whole run."""
    share = SHARES.get(settings.get_current_profile_name(), 1)
    return count if share == 1 else min(count, max(3, count // share))
