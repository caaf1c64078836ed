"""A small catalog, and a way to change one place of it."""

SMALL = """\
schema = 1
currency = "USD"
timezone = "UTC"
default_plan = "free"

[meters.calls]
name = "Calls"
unit = "call"
kind = "counter"

[meters.storage]
name = "Storage"
unit = "byte"
display_unit = "MB"
kind = "gauge"

[features.export]
name = "Export"

[rate_limits]
api = { requests = 100, per = "1m" }

[plans.free]
name = "Free"
rank = 0
[plans.free.quotas]
calls = { limit = 100, window = "day" }
storage = { limit = "100 MB" }

[plans.pro]
name = "Pro"
rank = 10
features = ["export"]
rate_limit_multiplier = "5.0"
prices = [
  { id = "pro_month", every = "month", amount = "19.99" },
]
[plans.pro.quotas]
calls = { limit = "unlimited", window = "day" }
storage = { limit = "10 GB", on_downgrade = "read_only" }
"""


def changed(old: str, new: str) -> tuple[str, int]:
    """The small catalog with one place changed, and the line of that place."""
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new), SMALL[: SMALL.index(old)].count("\n") + 1
