{{/*
cronlift.network.peer: pods of the release as a policy peer. Scope: dict "root" $ "component" "scheduler".
cronlift.network.policy: head of a component's policy. Scope: the same.
*/}}
{{- define "cronlift.network.peer" -}}
podSelector:
  matchLabels:
    {{- include "cronlift.selectorLabels" . | nindent 4 }}
{{- end }}

{{- define "cronlift.network.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s" (include "cronlift.fullname" .root) .component)) | nindent 2 }}
spec:
  {{- include "cronlift.network.peer" . | nindent 2 }}
{{- end }}

{{/*
cronlift.network.dns: egress to names, anywhere: in some clusters DNS is a pod, in others an address of the node.
Scope: the root. Used by the release's default deny and by every team's policy.
*/}}
{{- define "cronlift.network.dns" -}}
- ports:
    {{- range .Values.networkPolicy.dnsPorts | default (list 53 5353) }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{/* cronlift.network.database: egress to the database; an external one may be anywhere. Scope: the root. */}}
{{- define "cronlift.network.database" -}}
{{- if .Values.postgres.enabled }}
- to:
    - {{- include "cronlift.network.peer" (dict "root" . "component" "postgres") | nindent 6 }}
  ports: [{port: 5432}]
{{- else }}
- ports:
    - {port: {{ .Values.database.port }}}
    {{- if and .Values.database.pgbouncer.enabled (ne (int .Values.database.port) (int .Values.database.pgbouncer.directPort)) }}
    - {port: {{ .Values.database.pgbouncer.directPort }}}
    {{- end }}
{{- end }}
{{- end }}

{{/* cronlift.network.kubernetesApi: egress to the Kubernetes API, whose address no chart can know. Scope: the root. */}}
{{- define "cronlift.network.kubernetesApi" -}}
- ports:
    {{- range .Values.networkPolicy.kubernetesApiPorts }}
    - {port: {{ . }}}
    {{- end }}
{{- end }}

{{/* cronlift.network.extra: egress that the user adds: what team code, notifications and the store of logs reach. Scope: the root. */}}
{{- define "cronlift.network.extra" -}}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* cronlift.network.remoteLogs: egress to the store of task logs, which may be anywhere. Scope: the root. */}}
{{- define "cronlift.network.remoteLogs" -}}
{{- if .Values.logs.remote.url }}
- ports: [{port: 443}]
{{- end }}
{{- end }}

{{/* cronlift.network.gitMetrics: ingress to the sidecars' metrics, when something scrapes them. Scope: the root. */}}
{{- define "cronlift.network.gitMetrics" -}}
{{- if .Values.metrics.serviceMonitor.enabled }}
- ports:
    {{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
    - {port: {{ .port }}}
    {{- end }}
{{- end }}
{{- end }}
