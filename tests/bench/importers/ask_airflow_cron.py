"""Runs in a venv with airflow-cron: prints what it makes of each of a JSON list of crontabs."""

import json
import sys
from pathlib import Path

from airflow_cron import CronAirflowConfiguration, create_dags

found = []
for text in json.loads(Path(sys.argv[1]).read_text()):
    try:
        for dag in create_dags(CronAirflowConfiguration.from_cron(text)).values():
            found.append({"schedule": str(dag.schedule), "command": dag.tasks["run"].bash_command})
    except Exception as error:
        sys.stderr.write(f"{text.strip()}: {error}\n")
print(json.dumps(found))
