"""The media type of problem documents (RFC 9457, section 3)."""

MEDIA_TYPE = "application/problem+json"
