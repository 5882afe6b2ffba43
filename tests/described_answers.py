"""Compares real answers with what OpenAPI says about them."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from skerry.production.schemas import Draft202012Validator

PROBLEM = "application/problem+json"


@dataclass
class DescribedAnswers:
    """Checks each answer of a program against the program's OpenAPI document.

    Attributes
    ----------
    document
        The OpenAPI document.
    """

    document: dict[str, Any]
    _validators: dict[str, Any] = field(default_factory=dict)

    def check(self, answer: httpx.Response) -> None:
        """Refuse an answer whose status, media type or JSON the document does not describe."""
        operation = self._find(answer.request.method, answer.request.url.path)
        if operation is None:
            return
        kind = answer.headers.get("content-type", "").partition(";")[0]
        described = self._choose(operation, answer.status_code)
        where = f"{operation['operationId']} {answer.status_code} {kind}"
        assert described is not None, f"{where}: the status is not described"
        content = described.get("content", {})
        schema = content.get(kind, content.get("*/*", {})).get("schema")
        assert (schema is not None) == bool(kind), f"{where}: the media type is not described"
        if schema is None or not kind.endswith("json") or "$ref" not in schema:
            return
        answer.read()
        errors = [
            f"{error.json_path}: {error.message[:300]}"
            for error in self._validate(schema["$ref"]).iter_errors(answer.json())
        ]
        assert not errors, f"{where}: {errors}"

    async def check_later(self, answer: httpx.Response) -> None:
        """Check the answer of a client that waits for its body."""
        await answer.aread()
        self.check(answer)

    def _find(self, method: str, path: str) -> dict[str, Any] | None:
        for template in sorted(self.document["paths"], key=lambda text: text.count("{")):
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if template.endswith("/files/{key}"):  # a key has slashes
                pattern = pattern.replace("[^/]+", ".+")
            operation = self.document["paths"][template].get(method.lower())
            if operation is not None and re.fullmatch(pattern, path):
                return dict(operation)
        return None

    def _choose(self, operation: dict[str, Any], status: int) -> dict[str, Any] | None:
        responses: dict[str, Any] = operation["responses"]
        result: dict[str, Any] | None = responses.get(
            str(status), responses.get(f"{status // 100}XX")
        )
        return result

    def _validate(self, reference: str) -> Any:
        if reference not in self._validators:
            self._validators[reference] = Draft202012Validator(
                {"$ref": reference, "components": self.document["components"]}
            )
        return self._validators[reference]
