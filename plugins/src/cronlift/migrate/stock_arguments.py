"""Where each constructor argument of the stock KubernetesJobOperator goes (cncf.kubernetes provider 10.25.0).

Arguments that every operator has are not here: they stay as they are.
"""

FIELDS = {
    "image": ("container", "image"),
    "cmds": ("container", "command"),
    "arguments": ("container", "args"),
    "env_vars": ("container", "env"),
    "pod_runtime_info_envs": ("container", "env"),
    "env_from": ("container", "envFrom"),
    "configmaps": ("container", "envFrom"),
    "ports": ("container", "ports"),
    "container_resources": ("container", "resources"),
    "volume_mounts": ("container", "volumeMounts"),
    "image_pull_policy": ("container", "imagePullPolicy"),
    "termination_message_policy": ("container", "terminationMessagePolicy"),
    "container_security_context": ("container", "securityContext"),
    "base_container_name": ("container", "name"),
    "init_containers": ("pod", "initContainers"),
    "volumes": ("pod", "volumes"),
    "security_context": ("pod", "securityContext"),
    "service_account_name": ("pod", "serviceAccountName"),
    "automount_service_account_token": ("pod", "automountServiceAccountToken"),
    "image_pull_secrets": ("pod", "imagePullSecrets"),
    "node_selector": ("pod", "nodeSelector"),
    "affinity": ("pod", "affinity"),
    "tolerations": ("pod", "tolerations"),
    "runtime_class_name": ("pod", "runtimeClassName"),
    "priority_class_name": ("pod", "priorityClassName"),
    "schedulername": ("pod", "schedulerName"),
    "hostnetwork": ("pod", "hostNetwork"),
    "host_aliases": ("pod", "hostAliases"),
    "hostname": ("pod", "hostname"),
    "subdomain": ("pod", "subdomain"),
    "dnspolicy": ("pod", "dnsPolicy"),
    "dns_config": ("pod", "dnsConfig"),
    "termination_grace_period": ("pod", "terminationGracePeriodSeconds"),
    "labels": ("metadata", "labels"),
    "annotations": ("metadata", "annotations"),
    "active_deadline_seconds": ("job", "activeDeadlineSeconds"),
    "backoff_limit": ("job", "backoffLimit"),
    "completion_mode": ("job", "completionMode"),
    "completions": ("job", "completions"),
    "parallelism": ("job", "parallelism"),
    "suspend": ("job", "suspend"),
    "manual_selector": ("job", "manualSelector"),
    "selector": ("job", "selector"),
    "ttl_seconds_after_finished": ("job", "ttlSecondsAfterFinished"),
}
"""Argument -> the part of the manifest and its field; a call that gives one gets a manifest of its own."""

_NOT_POLLED = "nothing is polled: one watch serves all tasks"
_ALL_LOGS = "the output of every container is shown, with its name where there are several"
_ALWAYS_TOLD = "reason, exit code, last lines and events of a failure are always written"
_NO_EFFECT = "it had no effect on Jobs"

DROPPED = {
    "name": "the Job's name follows from the task's try; `{{ job_name }}` is that name",
    "random_name_suffix": "the Job's name follows from the task's try",
    "namespace": "Jobs run in the team's namespace; no other is allowed",
    "in_cluster": "the deployment says which cluster it is in",
    "deferrable": "a task never holds a worker while its Job runs",
    "job_poll_interval": _NOT_POLLED,
    "poll_interval": _NOT_POLLED,
    "logging_interval": "the log is live",
    "base_container_status_polling_interval": _NOT_POLLED,
    "startup_check_interval_seconds": _NOT_POLLED,
    "discover_pods_retry_number": _NOT_POLLED,
    "trigger_kwargs": "it reached into the stock trigger",
    "startup_timeout_seconds": f"{_NO_EFFECT}; start_timeout=timedelta(...) limits the time to start",
    "schedule_timeout_seconds": f"{_NO_EFFECT}; start_timeout=timedelta(...) limits the time to start",
    "reattach_on_restart": "a try always finds its own Job again, by its name",
    "durable": "a try always finds its own Job again, by its name",
    "container_logs": _ALL_LOGS,
    "init_container_logs": _ALL_LOGS,
    "container_name_log_prefix_enabled": _ALL_LOGS,
    "log_formatter": "lines are shown as they are, after the container's name where there are several",
    "log_events_on_failure": _ALWAYS_TOLD,
    "log_events_on_startup": "why a Job does not start is written once per change, in words",
    "log_pod_spec_on_failure": f"{_ALWAYS_TOLD}; log_manifest=True writes what was created",
    "skip_on_exit_code": f"{_NO_EFFECT}; podFailurePolicy in the manifest says what an exit code means",
    "progress_callback": _NO_EFFECT,
    "is_delete_operator_pod": f"{_NO_EFFECT}; see delete_policy",
    "on_kill_action": "a kill always deletes the Job and its Pods",
    "on_kill_propagation_policy": "a kill always deletes the Job and its Pods, in the foreground",
    "xcom_sidecar_container_security_context": "there is no sidecar",
}
"""Argument -> why it is not needed."""

BY_HAND = {
    "kubernetes_conn_id": "Name the cluster under clusters of the chart's values and write cluster=NAME",
    "config_file": "Name the cluster under clusters of the chart's values and write cluster=NAME",
    "cluster_context": "Name the cluster under clusters of the chart's values and write cluster=NAME",
    "full_job_spec": "Save the Job as YAML, once, and write manifest=PATH",
    "full_pod_spec": "Write the Pod's spec under spec.template.spec of a Job's YAML, and manifest=PATH",
    "pod_template_file": "Write the Pod's spec under spec.template.spec of a Job's YAML, and manifest=PATH",
    "pod_template_dict": "Write the Pod's spec under spec.template.spec of a Job's YAML, and manifest=PATH",
    "secrets": "Write env with valueFrom.secretKeyRef, envFrom, or a volume into the manifest",
    "callbacks": "Python of the DAG file does not run beside a Job; use on_success_callback and on_failure_callback",
}
"""Argument -> what a person writes instead, when it is given and not None."""

SPECIAL = ("job_template_file", "get_logs", "do_xcom_push", "unwrap_single", "wait_until_job_complete",
           "on_finish_action")  # fmt: skip
"""Arguments that `stock.py` looks at by value."""

DEFAULT_CONNECTION = "kubernetes_default"
DELETE_POLICIES = {
    "delete_pod": "always",
    "delete_succeeded_pod": "on_success",
    "keep_pod": "never",
    "delete_active_pod": "never",
}
