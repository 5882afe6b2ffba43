"""Secrets that a browser keeps for us: encrypted, signed, for one purpose and a limited time.

Source: Fernet (AES-128-CBC and HMAC-SHA256) of the package cryptography.
"""

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def seal_text(text: str, *, secret: str, purpose: str) -> str:
    """Return `text` encrypted, in letters that a cookie can hold.

    Parameters
    ----------
    text
        The secret.
    secret
        The program's own key.
    purpose
        Its purpose, such as the cookie's name; it cannot be opened for another purpose.
    """
    return _make_fernet(secret, purpose).encrypt(text.encode()).decode().rstrip("=")


def open_text(sealed: str, *, secret: str, purpose: str, max_age_s: int) -> str | None:
    """Return the text that `seal_text` sealed; None if it did not, or `max_age_s` has passed."""
    from cryptography.fernet import InvalidToken

    padded = sealed + "=" * (-len(sealed) % 4)
    try:
        opened: bytes = _make_fernet(secret, purpose).decrypt(padded.encode(), ttl=max_age_s)
    except (InvalidToken, UnicodeError):
        return None
    return opened.decode()


def _make_fernet(secret: str, purpose: str) -> "Fernet":
    from cryptography.fernet import Fernet

    key = hashlib.blake2b(purpose.encode(), key=hashlib.sha512(secret.encode()).digest(),
                          digest_size=32).digest()  # fmt: skip
    return Fernet(base64.urlsafe_b64encode(key))
