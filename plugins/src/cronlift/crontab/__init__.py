"""Crontabs: reading them as the old daemon did. Pure: no Airflow, no network, no files."""
