"""Lists every route of an application with its audience."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from skerry.services.identity import Audience, AudienceKind

_STRICTEST_FIRST = (AudienceKind.SCOPE, AudienceKind.VISIBLE, AudienceKind.ANYONE)


@dataclass(frozen=True)
class RouteEntry:
    """One route: full path with its placeholders, methods, kind and audience.

    Attributes
    ----------
    path
        Such as ``/services/api/stac/collections/{collection_id}``.
    methods
        HTTP methods; ``WEBSOCKET`` for sockets, ``*`` for mounted applications.
    audience
        None when the route names no audience: the authorisation test fails on it.
    """

    path: str
    methods: tuple[str, ...]
    audience: Audience | None


def list_routes(app: FastAPI) -> list[RouteEntry]:
    """Return every route of `app`, also the routes of included routers and mounted applications.

    A mounted application that is not a FastAPI application needs an attribute ``audience``.
    """
    return list(_walk(app.routes, ""))


def _walk(routes: list[BaseRoute], prefix: str) -> Iterator[RouteEntry]:
    for context in iter_route_contexts(routes):
        route: Any = context
        path = f"{prefix}{route.path}"
        inner: Any = getattr(route, "app", None)
        if getattr(inner, "routes", None) and not hasattr(route, "dependant"):
            yield from _walk(inner.routes, path)
            continue
        methods = getattr(route, "methods", None)
        names = tuple(sorted(methods)) if methods else ()
        yield RouteEntry(path, names or (_name_kind(route),), _find_audience(route))


def _name_kind(route: Any) -> str:
    original = getattr(route, "original_route", route)
    return "WEBSOCKET" if "WebSocket" in type(original).__name__ else "*"


def _find_audience(route: Any) -> Audience | None:
    for holder in (route, getattr(route, "app", None), getattr(route, "endpoint", None)):
        decided = getattr(holder, "audience", None)
        if isinstance(decided, Audience):
            return decided
    dependant = getattr(route, "dependant", None)
    audiences = list(_collect(dependant)) if dependant is not None else []
    return min(audiences, key=lambda item: _STRICTEST_FIRST.index(item.kind), default=None)


def _collect(dependant: Dependant) -> Iterator[Audience]:
    decided = getattr(dependant.call, "audience", None)
    if isinstance(decided, Audience):
        yield decided
    for inner in dependant.dependencies:
        yield from _collect(inner)
