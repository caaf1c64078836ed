"""What can be wrong with the catalog as a whole."""

from backend.core.errors import PlatformError


class CatalogRefused(PlatformError):
    """The document would change the meaning of what has been counted."""

    code = "catalog_refused"
    status = 409
    title = "These plans cannot be applied"


class CatalogMissing(PlatformError):
    """No plans were ever applied to this database."""

    code = "catalog_missing"
    status = 503
    title = "There are no plans yet"


class MeterUnknown(PlatformError):
    """The catalog has no such meter."""

    code = "meter_unknown"
    status = 422
    title = "No such meter"
