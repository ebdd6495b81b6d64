"""What the live tests share, and what their short form leaves out: `make test-live` runs it."""

import os

from tests.live.fixtures import (  # noqa: F401 - pytest finds fixtures and hooks by their name here
    airflow,
    kube_config,
    pytest_runtest_makereport,
    scratch_dag,
    scratch_dag_maker,
)

LONG_FORM = [
    "test_chart_from_empty.py",
    "test_chart_keys_and_revisions.py",
    "test_chart_notifications.py",
    "test_chart_rollback.py",
    "test_preview.py",
]
collect_ignore = [] if os.environ.get("LONG") else LONG_FORM
