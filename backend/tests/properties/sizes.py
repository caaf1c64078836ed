"""How a state machine is run: by so many examples, the same in every run unless FEATURE_SEED is set."""

import os

from hypothesis import HealthCheck, Phase, settings


def size(*, examples: int, steps: int, shrinks: bool = True) -> settings:
    """`shrinks` is for machines that do the same twice: a failure is then shown in its shortest form."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize="FEATURE_SEED" not in os.environ,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if shrinks else ())),
    )
