"""What the command says while it measures."""

import time


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text} ...", flush=True)
