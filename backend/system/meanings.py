"""What each error code means, read from the classes that raise it."""

from collections.abc import Iterator
from dataclasses import dataclass

from backend.core.errors import PlatformError


@dataclass(frozen=True, slots=True)
class Meaning:
    """One code with its usual status, its title, and a sentence."""

    code: str
    status: int
    title: str
    text: str


_OF_THE_SERVER = (
    Meaning("internal_error", 500, "Something failed on our side", "Send the request id to the operator."),
    Meaning("method_not_allowed", 405, "This method is not available here", "The routes are listed at /docs."),
)


def meanings() -> dict[str, Meaning]:
    """All codes of the API, by code."""
    found = {meaning.code: meaning for meaning in _OF_THE_SERVER}
    for error in _subclasses(PlatformError):
        text = (error.__doc__ or "").strip()
        found.setdefault(error.code, Meaning(error.code, error.status, error.title, " ".join(text.split())))
    return dict(sorted(found.items()))


def _subclasses(kind: type[PlatformError]) -> Iterator[type[PlatformError]]:
    for child in kind.__subclasses__():
        if not child.__name__.startswith("_"):
            yield child
        yield from _subclasses(child)
