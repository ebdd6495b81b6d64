{{/*
cronlift.env: the env list of an Airflow container.
Scope: dict "root" $ "settings" "scheduler" (a group of _settings.tpl) "secrets" (list of "fernet" "api" "jwt").
Secrets come first, because $(NAME) only sees what stands before it. All others go through one map,
so that a name cannot come twice (an error for server-side apply) and `config:` may override.
*/}}
{{- define "cronlift.env" -}}
{{- include "cronlift.env.database" .root }}
{{- $keys := dict "fernet" (list "AIRFLOW__CORE__FERNET_KEY" "fernet-key") "api" (list "AIRFLOW__API__SECRET_KEY" "api-secret-key") "jwt" (list "AIRFLOW__API_AUTH__JWT_SECRET" "jwt-secret") }}
{{- range .secrets }}
{{- $key := get $keys . }}
{{ include "cronlift.env.secret" (dict "root" $.root "name" (index $key 0) "key" (index $key 1)) }}
{{- end }}
{{- $group := include (printf "cronlift.settings.%s" .settings) .root | fromYaml }}
{{- $common := include "cronlift.settings.common" .root | fromYaml }}
{{- $own := include "cronlift.settings.config" .root | fromYaml }}
{{- range $name, $value := merge (dict) $own $group $common }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* cronlift.env.database: the connection, for all who talk to the database. Scope: the root. */}}
{{- define "cronlift.env.database" -}}
{{- if .Values.postgres.enabled -}}
{{ include "cronlift.env.secret" (dict "root" . "name" "CRONLIFT_DATABASE_PASSWORD" "key" "postgres-password") }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  value: postgresql+psycopg2://airflow:$(CRONLIFT_DATABASE_PASSWORD)@{{ include "cronlift.postgres.fullname" . }}:5432/airflow
{{- else -}}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
{{- end }}
{{- end }}

{{/* cronlift.env.secret: one variable from the release's Secret. Scope: dict "root" $ "name" env name "key" key. */}}
{{- define "cronlift.env.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "cronlift.secret.name" .root }}
      key: {{ .key }}
{{- end }}
