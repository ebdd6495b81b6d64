"""Probe of triggerer and dag-processor: is this pod's last heartbeat in the database young enough?

Airflow's own `airflow jobs check` imports Airflow for every probe (seconds of CPU); this asks the same
table in a tenth of that. A database that does not answer is no fault of this pod: then the probe passes, because a
restart would not help and would cost the running work.
"""

import socket
import sys

import cronlift_database
import psycopg2

QUERY = """
SELECT extract(epoch FROM now() - max(latest_heartbeat))
FROM job WHERE job_type = %s AND hostname = %s AND state = 'running'
"""


def verdict(job_type: str, age_seconds: float | None, limit_seconds: float) -> str | None:
    """Return why the pod is not healthy, None when it is."""
    if age_seconds is None:
        return f"no running {job_type} of this pod in the database yet"
    if age_seconds > limit_seconds:
        return f"last heartbeat of {job_type} was {age_seconds:.0f} s ago, more than {limit_seconds:.0f} s"
    return None


def main() -> int:
    """Usage: heartbeat_age.py JOB_TYPE LIMIT_SECONDS."""
    job_type, limit_seconds = sys.argv[1], float(sys.argv[2])
    # The same address as [core] hostname_callable = airflow.utils.net.get_host_ip_address.
    address = socket.gethostbyname(socket.getfqdn())
    try:
        connection = cronlift_database.connect(timeout_seconds=3)
        try:
            with connection.cursor() as cursor:
                cursor.execute(QUERY, (job_type, address))
                age = cursor.fetchone()[0]
        finally:
            connection.close()
    except psycopg2.Error as error:
        print(f"Not judged, the database does not answer: {str(error).strip()}")
        return 0
    fault = verdict(job_type, None if age is None else float(age), limit_seconds)
    print(fault or f"{job_type} {address} is alive")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
