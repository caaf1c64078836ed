"""What a proxy asks: the parameters of `/v1/gateway/authorize`, as bytes of the request line. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from backend.enforcement.gate import Metering
from backend.usage.model import API_CALLS

AUTHORIZE = "/v1/gateway/authorize"
DENY = "403"

_METER = re.compile(r"[a-z][a-z0-9_]{0,63}")
_AMOUNT = re.compile(r"[1-9][0-9]{0,17}")
_STANDARD = {"meter": API_CALLS, "amount": "1", "deny": ""}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be spent, and whether every refusal is to be a 403. Without `metering` the parameters are wrong."""

    metering: Metering | None
    denies_by_403: bool


def read_question(query: bytes) -> Question:
    """Never raises: what is wrong is said by the route, which reads the same parameters."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    found = _STANDARD | given
    is_right = (
        len(pairs) == len(given)
        and found.keys() == _STANDARD.keys()
        and _METER.fullmatch(found["meter"]) is not None
        and _AMOUNT.fullmatch(found["amount"]) is not None
        and found["deny"] in ("", DENY)
    )
    metering = Metering(found["meter"], int(found["amount"])) if is_right else None
    return Question(metering, ("deny", DENY) in pairs)
