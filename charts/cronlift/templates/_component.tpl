{{/*
cronlift.component: a Deployment of Airflow. Scope, a dict:
  root       $
  component  "scheduler", for names and labels
  values     the component's block of values.yaml (replicas, resources, ...)
  settings   its group in _settings.tpl
  args       the command's words
  secrets    keys that it needs beside the database ("fernet", "api", "jwt", "oidc")
  ports      port name -> number
  pause      seconds between the end of a pod's place in its Service and SIGTERM: proxies learn of it a moment later
  health     "path" and "port" of an HTTP probe, or "job", Airflow's job type for the heartbeat probe
  git        true: git-sync sidecars, and DAGs under /git and /repositories
  images     true: the list of job images, for those that render manifests
  logs       true: mounts the shared logs volume
  token      true: mounts its account's token, and the kubeconfigs of other clusters
  password   true: an init container writes the login file
Pods with the shared volume stay on one node unless it is ReadWriteMany; with a remote store there is none.
*/}}
{{- define "cronlift.component" -}}
{{- $values := .values }}
{{- $name := printf "%s-%s" (include "cronlift.fullname" .root) .component }}
{{- $volume := and .logs (not .root.Values.logs.remote.url) }}
{{- $together := dict }}
{{- if and $volume (ne .root.Values.logs.volume.accessMode "ReadWriteMany") }}
  {{- $together = dict "cronlift.dev/logs-volume" (include "cronlift.logs.claimName" .root) }}
{{- end }}
{{- $pod := dict "root" .root "component" .component "pod" $values.pod "replicas" $values.replicas "together" $together -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" $name) | nindent 2 }}
spec:
  # None while the migrate Job brings the database down: they would write into tables that go away.
  replicas: {{ empty .root.Values.migrate.downgradeTo | ternary $values.replicas 0 }}
  revisionHistoryLimit: 3
  # Longer than the startup probe and the wait for a migration together.
  progressDeadlineSeconds: 1800
  selector:
    matchLabels:
      {{- include "cronlift.selectorLabels" . | nindent 6 }}
  strategy:
    # Two of a kind may overlap (Airflow allows it); none may be missing while the old one drains.
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        {{- include "cronlift.pod.labels" $pod | nindent 8 }}
        {{- range $key, $value := $together }}
        {{ $key }}: {{ $value }}
        {{- end }}
      annotations:
        # Only the scripts that this pod runs; its settings are in the template itself.
        checksum/scripts: {{ include "cronlift.component.scripts" . | sha256sum | trunc 16 | quote }}
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- with include "cronlift.pod.annotations" $pod }}
        {{- . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "cronlift.pod.head" $pod | nindent 6 }}
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      initContainers:
        {{- if .git }}
        {{- include "cronlift.gitSync.containers" .root | nindent 8 }}
        {{- end }}
        {{- if .password }}
        {{- include "cronlift.component.password" . | nindent 8 }}
        {{- end }}
        {{- include "cronlift.wait" (dict "root" .root "migrated" true "secrets" .secrets) | nindent 8 }}
      containers:
        - name: {{ .component }}
          {{- include "cronlift.container.image" .root.Values.images.airflow | nindent 10 }}
          # tini without -g: a SIGTERM reaches Airflow only, which lets its running tasks finish (drain).
          command: [tini, --]
          args: {{ .args | toJson }}
          env:
            {{- include "cronlift.env" . | nindent 12 }}
          {{- with .ports }}
          ports:
            {{- range $port, $number := . }}
            - {name: {{ $port }}, containerPort: {{ $number }}}
            {{- end }}
          {{- end }}
          {{- include "cronlift.component.probes" . | nindent 10 }}
          {{- with .pause }}
          lifecycle:
            preStop:
              exec: {command: [sleep, {{ . | quote }}]}
          {{- end }}
          securityContext:
            {{- include "cronlift.container.securityContext" . | nindent 12 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: logs, mountPath: /opt/airflow/logs}
            {{- include "cronlift.scripts.mount" .root | nindent 12 }}
            {{- include "cronlift.database.mounts" .root | nindent 12 }}
            {{- if .git }}
            {{- include "cronlift.gitSync.mounts" .root | nindent 12 }}
            {{- end }}
            {{- if .images }}
            {{- include "cronlift.jobImages.mount" .root | nindent 12 }}
            {{- end }}
            {{- if .password }}
            - {name: auth, mountPath: /run/auth}
            {{- end }}
            {{- if .token }}
            {{- include "cronlift.token.mount" . | nindent 12 }}
            {{- include "cronlift.clusters.mounts" .root | nindent 12 }}
            {{- end }}
            {{- include "cronlift.extra.mounts" .root | nindent 12 }}
      volumes:
        - name: tmp
          emptyDir: {}
        - name: logs
          {{- if $volume }}
          persistentVolumeClaim:
            claimName: {{ include "cronlift.logs.claimName" .root }}
          {{- else }}
          emptyDir: {}
          {{- end }}
        {{- include "cronlift.scripts.volume" .root | nindent 8 }}
        {{- include "cronlift.keys.volume" .root | nindent 8 }}
        {{- include "cronlift.database.volumes" .root | nindent 8 }}
        {{- if .git }}
        {{- include "cronlift.gitSync.volumes" .root | nindent 8 }}
        {{- end }}
        {{- if .images }}
        {{- include "cronlift.jobImages.volume" .root | nindent 8 }}
        {{- end }}
        {{- if .password }}
        - name: auth
          emptyDir: {medium: Memory, sizeLimit: 1Mi}
        - name: password
          secret:
            secretName: {{ include "cronlift.secret.name" .root }}
            defaultMode: 0440
            items:
              - {key: admin-password, path: password}
        {{- end }}
        {{- if .token }}
        {{- include "cronlift.token.volume" . | nindent 8 }}
        {{- include "cronlift.clusters.volumes" .root | nindent 8 }}
        {{- end }}
        {{- include "cronlift.extra.volumes" .root | nindent 8 }}
{{- end }}

{{/*
cronlift.component.probes: a startup probe of ten minutes (a slow machine is no fault), then a liveness probe that
needs two minutes of silence. Exec probes start a 0.1 s script, never `airflow jobs check` (seconds of CPU).
Scope: that of cronlift.component.
*/}}
{{- define "cronlift.component.probes" -}}
{{- $exec := printf `exec: {command: [python, /opt/cronlift/heartbeat_age.py, %s, "90"]}` (.health.job | default "") }}
{{- $http := printf `httpGet: {path: %s, port: %s}` (.health.path | default "") (.health.port | default "") }}
{{- $check := ternary $exec $http (hasKey .health "job") -}}
startupProbe:
  {{ $check }}
  periodSeconds: 2
  timeoutSeconds: 10
  failureThreshold: 300
livenessProbe:
  {{ $check }}
  periodSeconds: 30
  timeoutSeconds: 20
  failureThreshold: 4
{{- if eq (.health.port | default "") "http" }}
readinessProbe:
  {{ $check }}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
{{- end }}

{{/* cronlift.component.password: the init container that writes Airflow's login file. Scope: that of cronlift.component. */}}
{{- define "cronlift.component.password" -}}
- name: write-passwords
  {{- include "cronlift.container.image" .root.Values.images.airflow | nindent 2 }}
  command: [python, /opt/cronlift/write_passwords.py, {{ .root.Values.admin.username | quote }}, /run/password/password, /run/auth/passwords.json]
  securityContext:
    {{- include "cronlift.container.securityContext" . | nindent 4 }}
  resources:
    {{- include "cronlift.resources.light" . | nindent 4 }}
  volumeMounts:
    {{- include "cronlift.scripts.mount" .root | nindent 4 }}
    - {name: password, mountPath: /run/password, readOnly: true}
    - {name: auth, mountPath: /run/auth}
{{- end }}

{{/* cronlift.component.scripts: contents of the scripts that a component runs, for its checksum. Scope: that of cronlift.component. */}}
{{- define "cronlift.component.scripts" -}}
{{ .root.Files.Get "files/wait_for_database.py" }}
{{ .root.Files.Get "files/cronlift_database.py" }}
{{- if hasKey .health "job" }}{{ .root.Files.Get "files/heartbeat_age.py" }}{{ end }}
{{- if .password }}{{ .root.Files.Get "files/write_passwords.py" }}{{ end }}
{{- if has "oidc" .secrets }}{{ .root.Files.Get "files/oidc_login.py" }}{{ end }}
{{- end }}

{{/*
cronlift.component.budget: a PodDisruptionBudget, only where one pod can go without all being gone: for a single one
it would block every drain of its node. Scope: dict "root" $ "component" "scheduler" "values" its block.
*/}}
{{- define "cronlift.component.budget" -}}
{{- if gt (int .values.replicas) 1 }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s" (include "cronlift.fullname" .root) .component)) | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "cronlift.selectorLabels" . | nindent 6 }}
  # A pod that is not ready anyway must not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
{{- end }}
{{- end }}
