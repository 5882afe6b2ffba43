"""Which certificate authorities the platform trusts: the usual ones, and those of its settings."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from skerry.core.errors import InvalidInputError, list_causes

FILE_VARIABLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE")
"""Variables that name a file of authorities. Other programs put those of the first in the place of
the usual ones; here they come besides."""


NAME_AUTHORITY = (
    "Renew it, or name its authority: in SSL_CERT_FILE, or certificates.authorities of the chart."
)
"""What to do about a certificate that is not trusted."""


def read_authorities() -> ssl.SSLContext:
    """Return the authorities to trust: the usual ones, and those that the settings name.

    Raises
    ------
    InvalidInputError
        If no certificate can be read from a file that a variable names.
    """
    context = httpx.create_ssl_context(trust_env=False)
    for variable in FILE_VARIABLES:
        if (file := find_authorities(variable)) is not None:
            context.load_verify_locations(cafile=file)
    for folder in filter(None, os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)):
        context.load_verify_locations(capath=folder)
    return context


def find_distrust(error: BaseException) -> str | None:
    """Return why a server's certificate was not trusted, if that led to an error."""
    for cause in list_causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
    return None


def find_authorities(variable: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of authorities, in PEM form, that a variable names; None without it.

    Raises
    ------
    InvalidInputError
        If no certificate can be read from it.
    """
    file = environment.get(variable)
    if not file:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except OSError:  # SSL's errors too
        raise InvalidInputError(
            f"{variable} names {file[:140]!r}, from which no certificate can be read.",
            remedy="Name a file with certificates in PEM form.",
        ) from None
    return Path(file)
