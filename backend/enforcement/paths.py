"""Which route a path is of, for requests that are refused before anybody looks for their route."""

from collections.abc import Iterable

from starlette.types import Scope

OTHER = "other"


class Paths:
    """The paths of an application, their parameters as names: so many that they can be kept, whoever calls."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._templates = {_pattern(template.split("/")): template for template in templates}
        self._words = {word for pattern in self._templates for word in pattern if word is not None}

    def of(self, scope: Scope) -> str:
        """The path of the route, or of the one that a request would have come to."""
        route = scope.get("route")
        if route is not None:
            found: str = route.path
            return found
        pattern = tuple(part if part in self._words else None for part in scope["path"].split("/"))
        return self._templates.get(pattern, OTHER)


def _pattern(parts: Iterable[str]) -> tuple[str | None, ...]:
    return tuple(None if part.startswith("{") else part for part in parts)
