"""The parts of a running product, as those who start them know them; loads none of them."""

from backend.cli.output import CommandError
from backend.core.settings import Settings

WORKER = "backend.worker"
API_PORT = 8000


def refuse_development_defaults(settings: Settings) -> None:
    """Raises CommandError that names each setting that production must not leave at its default."""
    if problems := settings.production_problems():
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise CommandError(f"ENVIRONMENT=production refuses to start:\n{listed}")
