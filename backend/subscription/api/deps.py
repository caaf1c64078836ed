"""What the routes of this and higher layers ask for."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from backend.auth.api.deps import CurrentPrincipal
from backend.auth.errors import ScopeMissing
from backend.catalog.service import Catalogs
from backend.catalog.terms import PlanTerms
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements


def _catalogs(request: Request) -> Catalogs:
    catalogs: Catalogs = request.app.state.catalogs
    return catalogs


def _entitlements(request: Request, principal: CurrentPrincipal) -> Entitlements:
    """Those of the acting account, read with the credential by the outermost layer."""
    found: Entitlements | None = request.state.entitlements
    if found is None or principal.account_id is None:
        raise ScopeMissing("A service key has no account of its own; sign in, or use a personal key.")
    return found


def _present_terms(request: Request) -> PlanTerms | None:
    """The plan in force for the caller, on routes that need none."""
    found: Entitlements | None = request.state.entitlements
    return found.terms if found else None


def _counted_rates(request: Request) -> Mapping[str, RateVerdict]:
    counted: Mapping[str, RateVerdict] = request.state.rates
    return counted


PresentTerms = Annotated[PlanTerms | None, Depends(_present_terms)]
CountedRates = Annotated[Mapping[str, RateVerdict], Depends(_counted_rates)]
CurrentCatalogs = Annotated[Catalogs, Depends(_catalogs)]
CurrentEntitlements = Annotated[Entitlements, Depends(_entitlements)]
