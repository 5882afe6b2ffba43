"""Files that a program touches to show that it works."""

import math
import time
from pathlib import Path
from typing import Final

BEAT_S: Final = 15.0
"""The worker touches its file every 2 s; after this many seconds without, it counts as dead."""


def measure_silence(beat: Path) -> float:
    """Return the seconds since a file was last touched; infinite if it does not exist."""
    try:
        return max(0.0, time.time() - beat.stat().st_mtime)
    except FileNotFoundError:
        return math.inf
