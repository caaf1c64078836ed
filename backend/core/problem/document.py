"""A problem document (RFC 9457) as bytes."""

import json
from collections.abc import Mapping
from typing import Any


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
    """One problem document. `fields` are its extension members."""
    document = {
        "type": f"{errors_url}/errors/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        **(fields or {}),
    }
    return json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "replace")
