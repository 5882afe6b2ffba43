"""The calls of a run process to the api: its order, a grant, progress, one request to publish."""

import os
from functools import cache
from typing import Any, Self

import httpx

from skerry.core.certificates import read_authorities
from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError
from skerry.core.patience import COPYING_S, RUN_S, ask_patiently
from skerry.core.problems import read_problem
from skerry.core.request_ids import send_request
from skerry.core.settings import API_PREFIX
from skerry.models.grants import Grant
from skerry.models.runs import AttemptOrder
from skerry.models.signing import HeldGrant
from skerry.storage.object_places import open_granted
from skerry.storage.run_folder import RunFolder
from skerry.storage.signed import ApiSigner

_TIMEOUT_S = 15.0
_REFUSALS = frozenset({401, 403, 404, 409})


_trusted = cache(read_authorities)


class Reporter:
    """Calls the api for one attempt, with the attempt's own token.

    Parameters
    ----------
    run, epoch
        The attempt.
    platform
        The platform's address.
    token
        The run token.
    """

    def __init__(self, run: str, epoch: int, platform: str, token: str) -> None:
        self.run = run
        self.epoch = epoch
        self._own = f"/production/runs/{run}/attempts/{epoch}"
        self._client = httpx.Client(
            base_url=f"{platform}{API_PREFIX}",
            headers={"Authorization": f"Bearer {token}", **send_request()},
            verify=_trusted(),
            trust_env=False,
        )

    @staticmethod
    def prepare() -> None:
        """Do beforehand what is alike for all attempts."""
        httpx.Client(verify=_trusted(), trust_env=False).close()

    @classmethod
    def from_environment(cls) -> Self:
        """Return the reporter of the attempt that the environment names."""
        return cls(
            os.environ["SKERRY_RUN"],
            int(os.environ["SKERRY_EPOCH"]),
            os.environ["SKERRY_URL"],
            os.environ["SKERRY_TOKEN"],
        )

    def fetch_order(self) -> AttemptOrder:
        """Return what is to be done; wait while the api is away.

        Raises
        ------
        ConflictError
            If the attempt is superseded or cancelled.
        InvalidInputError
            If the stored notebook was changed.
        UnavailableError
            If the api stays away for ten minutes.
        """
        return AttemptOrder.model_validate(self._persist("GET", f"{self._own}/order"))

    def ask_for_folder(self) -> RunFolder:
        """Return the attempt's own folder under a grant to write; wait while the api is away.

        Raises
        ------
        ConflictError
            If the attempt is superseded or cancelled.
        UnavailableError
            If the api stays away for ten minutes, or the folder is not on this machine.
        """
        asked = {"mode": "write", "purpose": "run", "run": self.run, "epoch": self.epoch}
        answer = Grant.model_validate(self._persist("POST", "/grants", asked))
        address = f"/grants/{answer.id}/access"
        signer = ApiSigner(
            lambda path, order: self._persist("POST", f"/{path}", order),
            HeldGrant(grant=answer.id or ""),
        )
        objects = open_granted(
            answer, lambda: Grant.model_validate(self._persist("POST", address)), signer
        )
        return RunFolder(objects, self.run, self.epoch)

    def report(self, *, done: int, total: int, cell: str | None) -> None:
        """Report progress.

        Raises
        ------
        ConflictError
            If the attempt is superseded or cancelled, or its token is no longer good.
        UnavailableError
            If the api does not answer; try again later.
        """
        progress = {"done": done, "total": total, "cell": cell}
        self._ask("POST", f"{self._own}/progress", progress)

    def publish(self, outputs: list[dict[str, Any]], manifest: dict[str, Any]) -> dict[str, Any]:
        """Publish the outputs; wait while the api is away. A second call does no harm.

        Raises
        ------
        ConflictError
            If the attempt may not publish any more.
        InvalidInputError
            If an output is refused.
        UnavailableError
            If the api stays away for ten minutes.
        """
        body = {"outputs": outputs, "manifest": manifest}
        return self._persist("POST", f"{self._own}/publish", body, COPYING_S)

    def _persist(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        answer_within_s: float = _TIMEOUT_S,
    ) -> dict[str, Any]:
        """Ask until the api answers, for some minutes."""
        return ask_patiently(lambda: self._ask(method, path, body, answer_within_s), RUN_S)

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        answer_within_s: float = _TIMEOUT_S,
    ) -> dict[str, Any]:
        verb = path.rpartition("/")[2]
        try:
            timeout = httpx.Timeout(_TIMEOUT_S, read=answer_within_s)
            answer = self._client.request(method, path, json=body, timeout=timeout)
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
