"""The services behind the routes of sign-in, made once by the application."""

from typing import Annotated

from fastapi import Depends, Request

from backend.auth.service.auth_service import AuthService
from backend.auth.service.own_security import OwnSecurity
from backend.auth.service.registration_service import RegistrationService
from backend.auth.service.reset_service import ResetService
from backend.ratelimit.model import Address


def _auth(request: Request) -> AuthService:
    service: AuthService = request.app.state.auth
    return service


def _registration(request: Request) -> RegistrationService:
    service: RegistrationService = request.app.state.registration
    return service


def _client_address(request: Request) -> Address:
    address: Address = request.state.client_address
    return address


def _own_security(request: Request) -> OwnSecurity:
    service: OwnSecurity = request.app.state.own_security
    return service


def _resets(request: Request) -> ResetService:
    service: ResetService = request.app.state.resets
    return service


Auth = Annotated[AuthService, Depends(_auth)]
Registration = Annotated[RegistrationService, Depends(_registration)]
Security = Annotated[OwnSecurity, Depends(_own_security)]
Resets = Annotated[ResetService, Depends(_resets)]
ClientAddress = Annotated[Address, Depends(_client_address)]
