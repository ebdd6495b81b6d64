{{/*
cronlift.bundles: [dag_processor] dag_bundle_config_list: one bundle per team, named as the team: a copy of its folder
for each version, or with git.copy false the folder in git-sync's tree. Scope: the root.
Trap: a bundle that vanishes from this list makes its DAGs stale.
*/}}
{{- define "cronlift.bundles" -}}
{{- $repositories := dict }}
{{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
  {{- $_ := set $repositories .root . }}
{{- end }}
{{- $bundles := list }}
{{- range $team, $settings := .Values.teams }}
  {{- $root := ternary (printf "/repositories/%s" $settings.repo) "/git" (not (empty $settings.repo)) }}
  {{- $git := get $repositories $root | default dict }}
  {{- $kwargs := dict "refresh_interval" $.Values.dagProcessor.refreshIntervalSeconds }}
  {{- $class := "cronlift.airflow.bundle.GitSyncBundle" }}
  {{- if $.Values.git.copy }}
    {{- $metrics := printf "http://127.0.0.1:%v/metrics" $git.port }}
    {{- $kwargs = merge $kwargs (dict "link" (printf "%s/current" $root) "path" $settings.path "url" ($git.url | default "") "view_url" ($git.viewUrl | default "") "metrics_url" $metrics) }}
  {{- else }}
    {{- $class = "airflow.dag_processing.bundles.local.LocalDagBundle" }}
    {{- $_ := set $kwargs "path" (ternary (printf "%s/current" $root) (printf "%s/current/%s" $root $settings.path) (eq $settings.path ".")) }}
  {{- end }}
  {{- $bundles = append $bundles (dict "name" $team "classpath" $class "kwargs" $kwargs) }}
{{- end }}
{{- $bundles | toJson }}
{{- end }}

{{/* cronlift.teams.json: CRONLIFT_TEAMS, what the operator knows about each team. Scope: the root. */}}
{{- define "cronlift.teams.json" -}}
{{- $teams := dict }}
{{- range $team, $settings := .Values.teams }}
  {{- $entry := dict "namespace" $settings.namespace "serviceAccount" "cronlift-job" }}
  {{- if $.Values.policy.enabled }}
    {{- $_ := set $entry "rules" (include "cronlift.policy.rules" (dict "root" $ "settings" $settings) | fromJson) }}
  {{- end }}
  {{- $_ := set $teams $team $entry }}
{{- end }}
{{- $teams | toJson }}
{{- end }}

{{/* cronlift.clusters.json: CRONLIFT_CLUSTERS, other clusters by name; the files are in triggerer and sweep only. Scope: the root. */}}
{{- define "cronlift.clusters.json" -}}
{{- $clusters := dict }}
{{- range $name, $settings := .Values.clusters }}
  {{- $_ := set $clusters $name (dict "kubeconfig" (printf "/etc/cronlift/clusters/%s/kubeconfig" $name) "context" ($settings.context | default "")) }}
{{- end }}
{{- $clusters | toJson }}
{{- end }}

{{/* cronlift.links.json: CRONLIFT_LINKS, the URL templates that are set. Scope: the root. */}}
{{- define "cronlift.links.json" -}}
{{- $links := dict }}
{{- range $name, $url := .Values.links }}
  {{- if $url }}{{ $_ := set $links $name $url }}{{ end }}
{{- end }}
{{- $links | toJson }}
{{- end }}

{{/* cronlift.settings.<group>: Airflow's settings as env names, a YAML map per group of readers. Scope: the root. */}}
{{- define "cronlift.settings.common" -}}
AIRFLOW__CORE__EXECUTOR: LocalExecutor
AIRFLOW__CORE__LOAD_EXAMPLES: "False"
AIRFLOW__CORE__DAGS_FOLDER: /git/current
# The UI fetches logs from pods by this name; a Deployment's host name does not resolve, its address does.
AIRFLOW__CORE__HOSTNAME_CALLABLE: airflow.utils.net.get_host_ip_address
AIRFLOW__CORE__EXECUTION_API_SERVER_URL: http://{{ include "cronlift.apiServer.fullname" . }}:8080{{ include "cronlift.apiServer.path" . }}/execution/
AIRFLOW__LOGGING__COLORED_CONSOLE_LOG: "False"
# Airflow notes who it runs as, and fails for a user that OpenShift made up and /etc/passwd does not have.
USER: airflow
{{- with .Values.apiServer.baseUrl }}
AIRFLOW__API__BASE_URL: {{ . }}
{{- end }}
{{- if eq .Values.auth.manager "oidc" }}
AIRFLOW__CORE__AUTH_MANAGER: airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
{{- end }}
{{- with .Values.logs.remote }}
{{- if .url }}
AIRFLOW__LOGGING__REMOTE_LOGGING: "True"
AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER: {{ .url }}
AIRFLOW__LOGGING__DELETE_LOCAL_LOGS: "True"
{{- with .connectionId }}
AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID: {{ . }}
{{- end }}
{{- end }}
{{- end }}
CRONLIFT_DEPLOYMENT: {{ .Release.Namespace }}/{{ .Release.Name }}
CRONLIFT_TEAMS: {{ include "cronlift.teams.json" . | quote }}
CRONLIFT_CLUSTERS: {{ include "cronlift.clusters.json" . | quote }}
CRONLIFT_LINKS: {{ include "cronlift.links.json" . | quote }}
{{- end }}

{{/* The user's own settings, `config:`; they win over the chart's. */}}
{{- define "cronlift.settings.config" -}}
{{- range $section, $options := .Values.config }}
{{- range $option, $value := $options }}
AIRFLOW__{{ $section | upper }}__{{ $option | upper }}: {{ include "cronlift.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cronlift.settings.apiServer" -}}
# The UI says so when the DAGs do not come from main.
CRONLIFT_GIT_REF: {{ .Values.git.ref | quote }}
AIRFLOW__API__WORKERS: {{ .Values.apiServer.workers | int64 | quote }}
{{- if eq .Values.auth.manager "simple" }}
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: {{ .Values.admin.username }}:admin
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: /run/auth/passwords.json
{{- else }}
AIRFLOW__FAB__CONFIG_FILE: /opt/cronlift/oidc_login.py
{{- if hasPrefix "https://" .Values.apiServer.baseUrl }}
# TLS ends before the pod. Without X-Forwarded-Proto the provider would be told to send people back to http.
AIRFLOW__FAB__ENABLE_PROXY_FIX: "True"
{{- end }}
CRONLIFT_OIDC: {{ omit .Values.auth.oidc "existingSecret" | toJson | quote }}
{{- end }}
{{- end }}

{{- define "cronlift.settings.scheduler" -}}
CRONLIFT_JOB_IMAGES_FILE: /etc/cronlift/job-images/images.json
AIRFLOW__CORE__PARALLELISM: {{ .Values.scheduler.parallelism | int64 | quote }}
AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK: "True"
{{- /* A run waits half of it on average until the scheduler sees it. */}}
AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.5"
AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: {{ include "cronlift.bundles" . | quote }}
AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH: /bundles
{{- end }}

{{- define "cronlift.settings.dagProcessor" -}}
CRONLIFT_JOB_IMAGES_FILE: /etc/cronlift/job-images/images.json
AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: {{ include "cronlift.bundles" . | quote }}
AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH: /bundles
AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL: "1"
# A changed file is parsed at once whatever this says; it is how often unchanged ones are parsed again.
AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: {{ .Values.dagProcessor.reparseSeconds | int64 | quote }}
AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES: {{ .Values.dagProcessor.parsingProcesses | int64 | quote }}
# Otherwise a second commit to a file within 30 s is parsed but not stored.
AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL: "0"
# Airflow's 2 frames are its own: the DAG file's line is the fifth from the end.
AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH: "5"
AIRFLOW__LOGGING__DAG_PROCESSOR_LOG_TARGET: stdout
{{- if .Values.preview.enabled }}
# A DAG may say itself that it starts unpaused; the cluster policy has the last word.
CRONLIFT_PREVIEW: "True"
{{- end }}
{{- end }}

{{- define "cronlift.settings.triggerer" -}}
CRONLIFT_JOB_IMAGES_FILE: /etc/cronlift/job-images/images.json
AIRFLOW__TRIGGERER__CAPACITY: {{ .Values.triggerer.capacity | int64 | quote }}
{{- end }}

{{- define "cronlift.settings.migrate" -}}
{{- with .Values.migrate.downgradeTo }}
CRONLIFT_DOWNGRADE_TO: {{ . | quote }}
{{- end }}
{{- $pools := dict }}
{{- range $team, $settings := .Values.teams }}
  {{- with $settings.pool }}
    {{- /* A task whose Job runs is deferred: without these the pool would bound nothing. */}}
    {{- $_ := set $pools $team (dict "slots" .slots "description" (printf "Jobs of team %s" $team) "include_deferred" true) }}
  {{- end }}
{{- end }}
{{- with $pools }}
CRONLIFT_POOLS: {{ . | toJson | quote }}
{{- end }}
{{- end }}

{{- define "cronlift.settings.dbClean" -}}{{- end }}
{{- define "cronlift.settings.sweep" -}}{{- end }}

{{- define "cronlift.settings.notifier" -}}
CRONLIFT_ROUTES: {{ include "cronlift.routes.json" . | quote }}
CRONLIFT_LATE_SECONDS: {{ mul 60 .Values.notifications.lateAfterMinutes | quote }}
CRONLIFT_SMTP: {{ omit .Values.notifications.smtp "existingSecret" | toJson | quote }}
{{- end }}

{{/* cronlift.routes.json: CRONLIFT_ROUTES, where news of each team goes; a webhook's URL is in a file. Scope: the root. */}}
{{- define "cronlift.routes.json" -}}
{{- $routes := dict }}
{{- range $team, $settings := .Values.teams }}
  {{- with $settings.alerts }}
    {{- $webhook := ternary (printf "/run/webhooks/%s/url" $team) "" (not (empty .webhookSecret)) }}
    {{- $_ := set $routes $team (dict "emails" (.emails | default list) "webhook" $webhook) }}
  {{- end }}
{{- end }}
{{- $routes | toJson }}
{{- end }}
