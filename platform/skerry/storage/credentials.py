"""Temporary credentials of a bucket that open one prefix alone.

The store's token service (STS) makes them: ``AssumeRole`` with a policy of the session, which can
only take away from what the platform's own key may do. It signs with ``AWS_ACCESS_KEY_ID`` and
``AWS_SECRET_ACCESS_KEY``, or shows the token of ``AWS_WEB_IDENTITY_TOKEN_FILE``. The role is
``AWS_ROLE_ARN``; MinIO needs none.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
from requests_aws4auth import AWS4Auth

from skerry.core.certificates import read_authorities
from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.time import parse_time
from skerry.models.grants import BucketAccess
from skerry.storage.homes import HOMES
from skerry.storage.objects import check_prefix
from skerry.storage.remote import UNTRUSTED
from skerry.storage.s3 import find_endpoint

Mode = Literal["read", "write"]

LIFE_S = 900
"""Seconds for which credentials open their prefix; whoever works longer has them renewed.

Nobody can take credentials back: not from an author whose product has been published, and not from
a reader when an item is withdrawn or a collection is taken back. So they live as briefly as token
services allow, and each renewal checks the right again.
"""

_READ = ("s3:GetObject",)
_WRITE = (*_READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_PATTERN_MARKS = frozenset("*?$")
_LONGEST_POLICY = 2048
"""Characters that the policy of a session may have."""
_TRIES = 3
_TIMEOUT_S = 20.0
_ANY_ROLE = "arn:aws:iam::000000000000:role/skerry"  # its form is checked, not its name


@dataclass(frozen=True)
class TokenService:
    """The token service of the store that the environment names.

    Attributes
    ----------
    endpoint, region
        Those of the bucket; no endpoint for AWS itself.
    address
        Where the service answers.
    role
        The role to take.
    """

    endpoint: str | None
    region: str
    address: str
    role: str
    _signature: AWS4Auth | None = field(repr=False)
    _identity: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "TokenService | None":
        """Return the service, or None where the environment names no key and no identity."""
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        region = region or "us-east-1"
        endpoint = find_endpoint(environment)
        key = environment.get("AWS_ACCESS_KEY_ID")
        secret = environment.get("AWS_SECRET_ACCESS_KEY")
        identity = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        role = environment.get("AWS_ROLE_ARN") or (_ANY_ROLE if endpoint else None)
        if role is None or not (identity or (key and secret)):
            return None
        address = find_endpoint(environment, ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"))
        address = address or endpoint or f"https://sts.{region}.amazonaws.com"
        token = environment.get("AWS_SESSION_TOKEN")
        more = {"session_token": token} if token else {}
        signature = AWS4Auth(key, secret, region, "sts", **more) if key else None
        identity_file = Path(identity) if identity and not key else None
        # the address with its path: that is signed
        return cls(endpoint, region, f"{address}/", role, signature, identity_file)

    def issue(self, root: str, prefix: str, mode: Mode) -> BucketAccess:
        """Return credentials for the keys below a prefix.

        Parameters
        ----------
        root
            The object store's address, such as ``s3://bucket/skerry/``.
        prefix
            The prefix below it.
        mode
            Reading is to get and to list; writing also to put. Nobody may delete.

        Raises
        ------
        UnavailableError
            If the service does not answer, or refuses.
        """
        if mode == "write" and prefix.startswith(HOMES):
            raise InvalidInputError(
                f"{prefix[:140]!r} holds published bytes: nobody gets credentials to write there.",
                remedy="Publish a new version instead.",
            )
        parts = urlsplit(root)
        below = parts.path.removeprefix("/") + check_prefix(prefix)
        form = {
            "Version": "2011-06-15",
            "RoleArn": self.role,
            "RoleSessionName": "skerry",
            "DurationSeconds": str(LIFE_S),
            "Policy": write_policy(parts.netloc, below, mode),
        }
        if self._identity is None:
            form["Action"] = "AssumeRole"
        else:
            form["Action"] = "AssumeRoleWithWebIdentity"
            form["WebIdentityToken"] = self._identity.read_text("utf-8").strip()
        return self._read(self._ask(form))

    def _ask(self, form: dict[str, str]) -> httpx.Response:
        """Send the request, again after a moment if the service is busy or away."""
        for trial in range(1, _TRIES + 1):
            try:
                answer = httpx.post(
                    self.address, data=form, auth=self._signature, timeout=_TIMEOUT_S,
                    verify=read_authorities(),
                )  # fmt: skip
            except httpx.TransportError as error:
                # `from None`: the request, which stands in the error, holds a signature
                refusal = self._refuse(_describe(error))
            else:
                if answer.is_success:
                    return answer
                refusal = self._refuse(f"answers {answer.status_code} {_find(answer, 'Code')}")
                if answer.status_code < 500:  # noqa: PLR2004
                    break
            if trial < _TRIES:
                time.sleep(0.2 * 2**trial)
        raise refusal from None

    def _read(self, answer: httpx.Response) -> BucketAccess:
        values = [
            _find(answer, name)
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        ]
        if not all(values):
            raise self._refuse("answers without credentials")
        key, secret, token, expires = values
        return BucketAccess(
            key_id=key, secret=secret, token=token, expires=parse_time(expires),
            endpoint=self.endpoint, region=self.region,
        )  # fmt: skip

    def _refuse(self, what: str) -> UnavailableError:
        return UnavailableError(
            f"The token service of the object store at {self.address} {what}.",
            remedy="Operators: check AWS_ACCESS_KEY_ID, AWS_ROLE_ARN, AWS_ENDPOINT_URL_STS and "
            "AWS_CA_BUNDLE; if the provider has no token service, set SKERRY_GRANTS=addresses.",
        )


def find_token_service() -> TokenService:
    """Return the token service that the environment names.

    Raises
    ------
    UnavailableError
        If it names none.
    """
    service = TokenService.from_environment()
    if service is None:
        raise UnavailableError(
            "The object store gives no temporary credentials, so nobody can work in it directly.",
            remedy="Operators: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and on AWS "
            "AWS_ROLE_ARN, the role that may read and write the bucket; or SKERRY_GRANTS=addresses"
            " if the store has no token service.",
        )
    return service


def find_fault_of_grants(root: str) -> UnavailableError | None:
    """Return why nobody gets credentials for an object store's prefixes; None if they do."""
    try:
        find_token_service().issue(root, "imports/", "read")
    except UnavailableError as error:
        return error
    return None


def write_policy(bucket: str, prefix: str, mode: Mode) -> str:
    """Return the policy that allows what `mode` says below `prefix`, and nothing else.

    Raises
    ------
    InvalidInputError
        If the prefix holds marks that a policy reads as a pattern, or the policy becomes too long.
    """
    if _PATTERN_MARKS & set(bucket + prefix):
        raise InvalidInputError(
            f"{prefix[:140]!r} cannot be granted: it holds one of {sorted(_PATTERN_MARKS)}.",
            remedy="Use a prefix of letters, digits, '-', '_' and '.'.",
        )
    objects = {
        "Effect": "Allow",
        "Action": list(_WRITE if mode == "write" else _READ),
        "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"],
    }
    listing = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
        "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
    }
    content = {"Version": "2012-10-17", "Statement": [objects, listing]}
    policy = json.dumps(content, separators=(",", ":"))
    if len(policy) > _LONGEST_POLICY:
        raise InvalidInputError(
            f"The prefix {prefix[:60]!r}... of {len(prefix)} characters cannot be granted: the "
            f"policy that names it would have {len(policy)} characters, and token services take "
            f"{_LONGEST_POLICY}.",
            remedy="Operators: choose a shorter prefix in SKERRY_OBJECTS.",
        )
    return policy


def _describe(error: httpx.TransportError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UNTRUSTED
    return f"does not answer ({type(error).__name__})"


def _find(answer: httpx.Response, name: str) -> str:
    """Return the text of an XML answer's first element of that name, nothing if there is none."""
    from lxml import etree

    try:
        page = etree.fromstring(answer.content, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError:
        return ""
    return str(page.findtext(f".//{{*}}{name}") or "")
