"""Kubernetes, asynchronously: credentials, client, the shared watch and logs; without Airflow."""
