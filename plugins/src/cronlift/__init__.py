"""Run Kubernetes Jobs from Airflow without a worker."""
