{{/* Names of everything. One helper per resource name, so that a rename is one edit. Scope of all: the root ($). */}}

{{/* cronlift.name: the application's name in labels. */}}
{{- define "cronlift.name" -}}cronlift{{- end }}

{{/* cronlift.fullname: prefix of all names: the release's name, with "-cronlift" unless it says so already. */}}
{{- define "cronlift.fullname" -}}
{{- /* A release's name may have dots, a Service's may not. */}}
{{- $release := replace "." "-" .Release.Name }}
{{- if contains "cronlift" $release }}{{ $release | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-cronlift" ($release | trunc 31 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "cronlift.apiServer.fullname" -}}{{ include "cronlift.fullname" . }}-api-server{{- end }}
{{- define "cronlift.scheduler.fullname" -}}{{ include "cronlift.fullname" . }}-scheduler{{- end }}
{{- define "cronlift.dagProcessor.fullname" -}}{{ include "cronlift.fullname" . }}-dag-processor{{- end }}
{{- define "cronlift.triggerer.fullname" -}}{{ include "cronlift.fullname" . }}-triggerer{{- end }}
{{- define "cronlift.migrate.fullname" -}}{{ include "cronlift.fullname" . }}-migrate{{- end }}
{{- define "cronlift.sweep.fullname" -}}{{ include "cronlift.fullname" . }}-sweep{{- end }}
{{- define "cronlift.bootstrap.fullname" -}}{{ include "cronlift.fullname" . }}-bootstrap{{- end }}
{{- define "cronlift.postgres.fullname" -}}{{ include "cronlift.fullname" . }}-postgres{{- end }}
{{- define "cronlift.scripts.fullname" -}}{{ include "cronlift.fullname" . }}-scripts{{- end }}
{{- define "cronlift.dbClean.fullname" -}}{{ include "cronlift.fullname" . }}-db-clean{{- end }}
{{- define "cronlift.metrics.fullname" -}}{{ include "cronlift.fullname" . }}-metrics{{- end }}
{{- define "cronlift.notifier.fullname" -}}{{ include "cronlift.fullname" . }}-notifier{{- end }}
{{- define "cronlift.jobImages.fullname" -}}{{ include "cronlift.fullname" . }}-job-images{{- end }}
{{- define "cronlift.reaper.fullname" -}}{{ include "cronlift.fullname" . }}-reaper{{- end }}
{{- define "cronlift.test.fullname" -}}{{ include "cronlift.fullname" . }}-test{{- end }}

{{/*
cronlift.apiServer.path: the path of apiServer.baseUrl, such as /etl, or nothing. Airflow answers below it alone where
parts of it are mounted (/execution), also to probes and to the pods' own calls.
*/}}
{{- define "cronlift.apiServer.path" -}}
{{- with .Values.apiServer.baseUrl }}{{ (urlParse .).path | trimSuffix "/" }}{{ end }}
{{- end }}

{{/* cronlift.secret.name: the Secret that holds the keys: yours, or the one that the bootstrap Job fills. */}}
{{- define "cronlift.secret.name" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "cronlift.fullname" .)) }}
{{- end }}

{{/* cronlift.logs.claimName: the claim of the shared logs volume. */}}
{{- define "cronlift.logs.claimName" -}}
{{ .Values.logs.volume.existingClaim | default (printf "%s-logs" (include "cronlift.fullname" .)) }}
{{- end }}

{{/* cronlift.policy.name: of a team's admission policy, an object of the whole cluster. Scope: dict "root" $ "team" name. */}}
{{- define "cronlift.policy.name" -}}{{ .root.Release.Namespace }}-{{ include "cronlift.fullname" .root }}-{{ .team }}{{- end }}

{{/* cronlift.canary.image: what `helm test` runs in the teams' namespaces. */}}
{{- define "cronlift.canary.image" -}}{{ .Values.canary.image | default (include "cronlift.image" .Values.images.airflow) }}{{- end }}

{{/* cronlift.text: a value as text: whole numbers with all their digits, of which a template makes 1e+06. Scope: the value. */}}
{{- define "cronlift.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* cronlift.image: a reference from images.<x>; with a digest the tag is only for the reader. Scope: the map {repository, tag, digest}. */}}
{{- define "cronlift.image" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
