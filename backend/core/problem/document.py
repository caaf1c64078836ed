"""A problem document (RFC 9457) as bytes."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

# RFC 3986, section 3.3, beside the letters and digits.
_IN_A_PATH = "/:@!$&'()*+,;=~"


def problem_bytes(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    instance: str,
    request_id: str,
    errors_url: str,
    fields: Mapping[str, Any] | None = None,
) -> bytes:
    """One problem document. `instance` is a path as it was read, `fields` are extension members."""
    document = {
        "type": f"{errors_url}/errors/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(instance, safe=_IN_A_PATH, errors="replace"),  # a URI reference, by RFC 9457
        "code": code,
        "request_id": request_id,
        **(fields or {}),
    }
    return json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "replace")
