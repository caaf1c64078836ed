"""The refresh token of the web app: a cookie that scripts cannot read, on the routes of sign-in only."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Cookie, Depends, Header, Response

from backend.auth.api.deps import CurrentSettings
from backend.auth.api.schemas import SecondFactorNeeded, TokenAnswer
from backend.auth.errors import RefreshRefused
from backend.auth.service.second_factor import Challenge
from backend.auth.service.sessions import TokenPair

_NAME = "feature_refresh"
_PATH = "/v1/auth"

RefreshCookie = Annotated[str | None, Cookie(alias=_NAME, include_in_schema=False)]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How tokens go out and come in: with `X-Feature-Client: web` by cookie, otherwise in the body."""

    is_web: bool
    is_secure: bool
    max_age: int

    def answer(self, response: Response, pair: TokenPair) -> TokenAnswer:
        if self.is_web:
            response.set_cookie(
                _NAME,
                pair.refresh_token,
                max_age=self.max_age,
                path=_PATH,
                secure=self.is_secure,
                httponly=True,
                samesite="strict",
            )
        return TokenAnswer(
            access_token=pair.access_token,
            refresh_token=None if self.is_web else pair.refresh_token,
            expires_in=pair.expires_in,
        )

    def answer_or_ask(self, response: Response, found: TokenPair | Challenge) -> TokenAnswer | SecondFactorNeeded:
        if isinstance(found, Challenge):
            return SecondFactorNeeded(challenge_id=found.challenge_id)
        return self.answer(response, found)

    def presented(self, in_body: str | None, in_cookie: str | None) -> str:
        """The refresh token that was sent. A cookie counts only with the header, which no foreign page can send."""
        found = in_body or (in_cookie if self.is_web else None)
        if found is None:
            raise RefreshRefused("No refresh token was sent. Sign in again.", reason="none_sent")
        return found

    def forget(self, response: Response) -> None:
        if self.is_web:
            response.delete_cookie(_NAME, path=_PATH, secure=self.is_secure, httponly=True, samesite="strict")


def _delivery(
    settings: CurrentSettings, client: Annotated[str | None, Header(alias="X-Feature-Client")] = None
) -> Delivery:
    return Delivery(
        is_web=client == "web",
        is_secure=settings.frontend_base_url.startswith("https://"),
        max_age=settings.jwt_refresh_ttl_seconds,
    )


WebClient = Annotated[Delivery, Depends(_delivery)]
