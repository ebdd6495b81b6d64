"""What every tier shares: how many examples property tests try."""

import gc
import os

import pytest
from hypothesis import settings

settings.register_profile("short", max_examples=50, deadline=None)
settings.register_profile("fuzz", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_collection_finish() -> None:
    """Leave out of the garbage collector's walks what was imported, Airflow above all."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let no test be skipped in CI: what does not run there proves nothing."""
    skipped = session.config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])
    if os.environ.get("CI") == "true" and skipped and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
