"""The sizes of the profiles that the hub offers, as the chart tells them to other parts."""

import os

from pydantic import TypeAdapter, ValidationError

from skerry.core.errors import InvalidInputError, describe_first
from skerry.core.hub_profiles import Profile, count_bytes

VARIABLE = "SKERRY_PROFILES"
_PROFILES = TypeAdapter(list[Profile])


def read_profile_sizes() -> dict[str, tuple[float, int]]:
    """Return processors and bytes of each profile by name; none where there is no such hub.

    Raises
    ------
    InvalidInputError
        If `SKERRY_PROFILES` holds no list of profiles.
    """
    text = os.environ.get(VARIABLE) or "[]"
    try:
        profiles = _PROFILES.validate_json(text)
    except ValidationError as error:
        raise InvalidInputError(
            f"{VARIABLE}: {describe_first(error)}.",
            remedy="Correct servers.profiles in the chart's values.",
        ) from None
    return {each.name: (each.cpu, count_bytes(each.memory)) for each in profiles}
