"""What a message looks like, as plain text and as HTML. Pure."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

_ADDRESS = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Link:
    """What to do next: the words on it, and where it leads."""

    words: str
    url: str


def as_text(paragraphs: Sequence[str], link: Link | None) -> str:
    """Paragraphs with an empty line between them; the link's address on a line of its own."""
    parts = [*paragraphs, *([f"{link.words}:\n{link.url}"] if link else [])]
    return "\n\n".join(parts) + "\n"


def as_html(paragraphs: Sequence[str], link: Link | None) -> str:
    """The same for mail programs that show HTML: no picture, no style sheet, nothing from elsewhere."""
    body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs)
    if link is not None:
        body += f'<p><a href="{html.escape(link.url, quote=True)}">{html.escape(link.words)}</a></p>'
    head = '<!doctype html><html lang="en"><meta charset="utf-8">'
    return f'{head}<body style="font:16px/1.5 sans-serif">{body}</body></html>'


def links_in(text: str) -> list[str]:
    """The addresses in a plain text, in order."""
    return _ADDRESS.findall(text)
