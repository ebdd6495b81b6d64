"""The `cronlift` command: for people and for checks, without a cluster and without Airflow's database."""
