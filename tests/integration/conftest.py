"""What the short form leaves out: `make test-live` runs it."""

import os

LONG_FORM = ["test_chart_oidc.py", "test_chart_previous_minor.py", "test_chart_remote_logs.py"]
collect_ignore = [] if os.environ.get("LONG") else LONG_FORM
