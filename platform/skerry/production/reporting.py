"""The calls of a run process to the api: progress, and one request to publish."""

import time
from typing import Any

import httpx

from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError
from skerry.core.problems import read_problem

_TIMEOUT_S = 15.0
_PATIENCE_S = 300.0
_PAUSE_S = 1.0
_REFUSALS = frozenset({401, 403, 404, 409})


class Reporter:
    """Calls the api for one attempt, with the attempt's own token.

    Parameters
    ----------
    address
        ``<api>/runs/<run>/attempts/<epoch>``.
    token
        The run token.
    """

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def report(self, *, done: int, total: int, cell: str | None) -> None:
        """Report progress.

        Raises
        ------
        ConflictError
            If the attempt is superseded or cancelled, or its token is no longer good.
        UnavailableError
            If the api does not answer; try again later.
        """
        self._post("progress", {"done": done, "total": total, "cell": cell})

    def publish(self, outputs: list[dict[str, Any]], manifest: dict[str, Any]) -> dict[str, Any]:
        """Publish the outputs; wait while the api is away. A second call does no harm.

        Raises
        ------
        ConflictError
            If the attempt may not publish any more.
        InvalidInputError
            If an output is refused.
        UnavailableError
            If the api stays away for five minutes.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._post("publish", {"outputs": outputs, "manifest": manifest})
            except UnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)

    def _post(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.post(f"/{verb}", json=body)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"The api does not answer ({type(error).__name__}).", remedy="It is tried again."
            ) from None
        if answer.is_success:
            content: dict[str, Any] = answer.json()
            return content
        problem = read_problem(answer.status_code, answer.content, request=verb)
        if isinstance(problem, UnavailableError):
            raise UnavailableError(
                f"The api answered {answer.status_code}: {problem.what}",
                remedy="It is tried again.",
            )
        refusal = f"{verb} was refused ({answer.status_code}): {problem.what}"
        if answer.status_code in _REFUSALS:
            raise ConflictError(refusal, remedy="This attempt ends.")
        raise InvalidInputError(refusal, remedy="Mend the notebook.")
