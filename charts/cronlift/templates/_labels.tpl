{{/*
cronlift.selectorLabels: labels of pods and selectors; immutable, so nothing that changes between versions.
Scope: dict "root" $ "component" "scheduler".
*/}}
{{- define "cronlift.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cronlift.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* cronlift.labels: labels of objects, the selector's and those that tell where they come from. Scope: as above. */}}
{{- define "cronlift.labels" -}}
{{ include "cronlift.selectorLabels" . }}
app.kubernetes.io/part-of: cronlift
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* cronlift.metadata: name, namespace and labels of an object. Scope: dict "root" $ "component" "x" "name" "full name". */}}
{{- define "cronlift.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "cronlift.labels" . | nindent 2 }}
{{- end }}

{{/* cronlift.keep: annotations of what outlives an uninstall, and a team that is taken out of the list. Argo CD has its own. No scope. */}}
{{- define "cronlift.keep" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false,Delete=false
{{- end }}

{{/* cronlift.team.metadata: the same in a team's namespace. Scope: dict "root" $ "team" name "settings" map "name" object name. */}}
{{- define "cronlift.team.metadata" -}}
name: {{ .name }}
namespace: {{ .settings.namespace }}
labels:
  {{- include "cronlift.team.labels" . | nindent 2 }}
{{- end }}

{{/* cronlift.team.labels: labels of what belongs to a team. Scope: as above. */}}
{{- define "cronlift.team.labels" -}}
{{ include "cronlift.labels" (dict "root" .root "component" "team") }}
cronlift.dev/team: {{ .team }}
{{- end }}
