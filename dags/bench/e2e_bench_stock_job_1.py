"""Written by the benchmark, which removes it."""

from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.sdk import DAG

POD = {'metadata': {'labels': {'cronlift.dev/benchmark': 'operators'}},
 'spec': {'restartPolicy': 'Never',
          'serviceAccountName': 'cronlift-job',
          'automountServiceAccountToken': False,
          'terminationGracePeriodSeconds': 1,
          'securityContext': {'runAsNonRoot': True,
                              'runAsUser': 1000,
                              'seccompProfile': {'type': 'RuntimeDefault'}},
          'containers': [{'name': 'base',
                          'image': 'localhost/cronlift/legacy:d2294ebddf05',
                          'command': ['bash', '-c'],
                          'args': ['echo hi'],
                          'resources': {'requests': {'cpu': '1m',
                                                     'memory': '8Mi'},
                                        'limits': {'cpu': '1',
                                                   'memory': '64Mi'}},
                          'securityContext': {'allowPrivilegeEscalation': False,
                                              'capabilities': {'drop': ['ALL']}}}]}}

# Airflow's limits of a DAG (16 active tasks, 16 active runs) are lifted for all contenders alike.
with DAG("bench__e2e_bench_stock_job_1", schedule=None, catchup=False, max_active_tasks=1000, max_active_runs=1000):
    for number in range(1):
        KubernetesJobOperator(task_id=f"task_{number:03}", name="echo", namespace="team-bench", pod_template_dict=POD, deferrable=True, in_cluster=True, labels={'cronlift.dev/benchmark': 'operators'}, backoff_limit=0, wait_until_job_complete=True)
