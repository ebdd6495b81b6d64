"""What every tier shares: how many examples property tests try."""

import os

from hypothesis import settings

settings.register_profile("short", max_examples=50, deadline=None)
settings.register_profile("fuzz", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
