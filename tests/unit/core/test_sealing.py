"""What a browser keeps for us shows nothing, and opens for its purpose alone."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.sealing import open_text, seal_text


@given(st.text())
def test_what_was_sealed_opens(text: str) -> None:
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        return
    sealed = seal_text(text, secret="s", purpose="p")
    assert open_text(sealed, secret="s", purpose="p", max_age_s=60) == text


def test_what_is_sealed_shows_nothing() -> None:
    sealed = seal_text("a-hub-token", secret="s", purpose="p")
    padded = sealed + "=" * (-len(sealed) % 4)
    assert b"hub" not in base64.urlsafe_b64decode(padded)
    assert sealed.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("secret", "purpose", "age"), [("other", "p", 60), ("s", "other", 60), ("s", "p", -1)]
)
def test_it_opens_for_nothing_else(secret: str, purpose: str, age: int) -> None:
    sealed = seal_text("text", secret="s", purpose="p")
    assert open_text(sealed, secret=secret, purpose=purpose, max_age_s=age) is None


@pytest.mark.parametrize("forged", ["", "x", "ä", "a" * 100, "a\x00b"])
def test_what_is_forged_opens_not(forged: str) -> None:
    assert open_text(forged, secret="s", purpose="p", max_age_s=60) is None
