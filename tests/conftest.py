"""How Hypothesis tries examples: the same ones in CI every time, never judged by the machine's speed."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("here", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
