"""What a Job is and what its objects mean: pure, without Airflow and without the network."""
