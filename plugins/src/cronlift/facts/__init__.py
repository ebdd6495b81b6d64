"""Pure: what is known of DAG files once they are parsed. No Airflow, no network: it can be stored and compared."""
