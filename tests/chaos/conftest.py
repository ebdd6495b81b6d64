from tests.live.fixtures import (  # noqa: F401 - pytest finds fixtures and hooks by their name here
    airflow,
    kube_config,
    pytest_runtest_makereport,
    scratch_dag,
    scratch_dag_maker,
)
