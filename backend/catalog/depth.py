"""How deep a TOML text goes, seen before it is read: parsers take longer with the square of the depth.

A text that is no TOML is judged as far as it is TOML; what is wrong with it, the parser says.
"""

import re

# Dots in one key, and brackets within brackets. A catalog needs five.
MOST_DEEP = 16

_TOKEN = re.compile(
    r'#[^\n]*|"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|(?P<endless>"""|\'\'\')'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|(?P<mark>[.=,\[\]{}\n"\'])',
    re.DOTALL,
)


def too_deep(text: str) -> int | None:
    """The line, counted from 1, of the first place that is deeper than is read; None where there is none."""
    dots = brackets = 0
    for token in _TOKEN.finditer(text):
        match token["endless"] or token["mark"]:
            case None:  # a comment or a text
                continue
            case ".":
                dots += 1
            case "[" | "{":
                dots, brackets = 0, brackets + 1
            case "]" | "}":
                dots, brackets = 0, brackets - 1
            case "=" | "," | "\n":
                dots = 0
            case _:  # the text that begins here has no end
                return None
        if max(dots, brackets) > MOST_DEEP:
            return text.count("\n", 0, token.start()) + 1
    return None
