"""Issuers of tokens that a host application's own sign-in gives out."""

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class TrustedIssuer(BaseModel):
    """Whose tokens are callers like our own, and how they are read.

    With `account_claim`, that claim holds the account's id in the host application: the issuer vouches that its user
    belongs there, and who is not listed as a member has `role`. Without it, users act for the accounts that list
    them. `subject_prefix` keeps the subjects of several issuers apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    audience: Annotated[str, Field(min_length=1, max_length=500)]
    jwks_url: str
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("ES256", "RS256")
    subject_claim: Annotated[str, Field(min_length=1)] = "sub"
    subject_prefix: str = ""
    account_claim: str | None = None
    role: Literal["owner", "admin", "developer", "billing", "viewer"] = "developer"
    leeway_seconds: int = Field(default=30, ge=0, le=300)

    @field_validator("jwks_url")
    @classmethod
    def _not_in_the_clear(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise ValueError("keys are fetched over https, or over http from this machine")
        return value


def ensure_apart(issuers: Sequence[TrustedIssuer]) -> None:
    """Raises ValueError where a user of one issuer could be taken for a user of another."""
    for number, one in enumerate(issuers):
        for other in issuers[number + 1 :]:
            if one.issuer == other.issuer:
                raise ValueError(f"the issuer {one.issuer} is named twice")
            shorter, longer = sorted((one.subject_prefix, other.subject_prefix), key=len)
            if longer.startswith(shorter):
                raise ValueError(
                    f"{one.issuer} and {other.issuer} need a subject_prefix each, and none may begin with the other:"
                    " their users would be mistaken for one another"
                )
