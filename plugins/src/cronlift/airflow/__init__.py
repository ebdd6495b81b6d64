"""The adapters to Airflow: settings, operator, trigger, policy."""
