{{/*
cronlift.env: the env list of an Airflow container.
Scope: dict "root" $ "settings" "scheduler" (a group of _settings.tpl) "secrets" (list of "fernet" "api" "jwt" "oidc")
"direct" true to go around PgBouncer.
Secrets come first, because $(NAME) only sees what stands before it. All others go through one map,
so that a name cannot come twice (an error for server-side apply) and `config:` may override; `extra.env` wins over it.
*/}}
{{- define "cronlift.env" -}}
{{- include "cronlift.env.database" . }}
{{- $keys := dict "fernet" (list "AIRFLOW__CORE__FERNET_KEY" "fernet-key") "api" (list "AIRFLOW__API__SECRET_KEY" "api-secret-key") "jwt" (list "AIRFLOW__API_AUTH__JWT_SECRET" "jwt-secret") }}
{{- range without .secrets "oidc" }}
{{- $key := get $keys . }}
{{ include "cronlift.env.secret" (dict "root" $.root "name" (index $key 0) "key" (index $key 1)) }}
{{- end }}
{{- if has "oidc" .secrets }}
{{ include "cronlift.env.oidc" .root }}
{{- end }}
{{- include "cronlift.env.logs" .root }}
{{- $group := include (printf "cronlift.settings.%s" .settings) .root | fromYaml }}
{{- $common := include "cronlift.settings.common" .root | fromYaml }}
{{- $own := include "cronlift.settings.config" .root | fromYaml }}
{{- $settings := merge (dict) $own $group $common }}
{{- range .root.Values.extra.env }}
{{- $_ := unset $settings .name }}
{{- end }}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .root.Values.extra.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
cronlift.env.database: the connection, for all who talk to the database.
By parts, cronlift_database.py makes the URL inside the container: no template can URL-encode a Secret's value.
Scope: dict "root" $ "direct" true to go around PgBouncer.
*/}}
{{- define "cronlift.env.database" -}}
{{- $database := .root.Values.database }}
{{- if .root.Values.postgres.enabled -}}
{{ include "cronlift.env.secret" (dict "root" .root "name" "CRONLIFT_DATABASE_PASSWORD" "key" "postgres-password") }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  value: postgresql+psycopg2://airflow:$(CRONLIFT_DATABASE_PASSWORD)@{{ include "cronlift.postgres.fullname" .root }}:5432/airflow
{{- else if $database.host -}}
{{- $direct := and (not (empty .direct)) $database.pgbouncer.enabled -}}
- name: CRONLIFT_DATABASE_USER
  valueFrom:
    secretKeyRef: {name: {{ $database.existingSecret }}, key: {{ $database.usernameKey | quote }}}
- name: CRONLIFT_DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $database.existingSecret }}, key: {{ $database.passwordKey | quote }}}
- {name: CRONLIFT_DATABASE_HOST, value: {{ ternary $database.pgbouncer.directHost $database.host $direct | quote }}}
- {name: CRONLIFT_DATABASE_PORT, value: {{ ternary $database.pgbouncer.directPort $database.port $direct | quote }}}
- {name: CRONLIFT_DATABASE_NAME, value: {{ $database.name | quote }}}
- {name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD, value: python /opt/cronlift/cronlift_database.py}
{{- else -}}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
  valueFrom:
    secretKeyRef: {name: {{ $database.existingSecret }}, key: {{ $database.key | quote }}}
{{- end }}
{{- if include "cronlift.database.hasOptions" .root }}
# Arguments rather than a part of the URL: the two drivers of Airflow call the same thing by different names.
- {name: CRONLIFT_DATABASE_TLS, value: {{ $database.tls.mode }}}
{{- if $database.tls.caSecret }}
- {name: CRONLIFT_DATABASE_CA, value: /etc/cronlift/database/ca.crt}
{{- end }}
{{- if $database.pgbouncer.enabled }}
- {name: CRONLIFT_DATABASE_PGBOUNCER, value: "true"}
{{- end }}
- {name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS, value: cronlift_database.SYNC_ARGUMENTS}
- {name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC, value: cronlift_database.ASYNC_ARGUMENTS}
- {name: PYTHONPATH, value: /opt/cronlift}
{{- end }}
{{- end }}

{{/* cronlift.database.hasOptions: not empty when the drivers need arguments beside the URL. Scope: the root. */}}
{{- define "cronlift.database.hasOptions" -}}
{{- if and (not .Values.postgres.enabled) (or (ne .Values.database.tls.mode "prefer") .Values.database.pgbouncer.enabled) }}yes{{ end }}
{{- end }}

{{/* cronlift.env.reserved: a list of names outside AIRFLOW__ and CRONLIFT_ that the chart itself writes, as YAML. Scope: the root. */}}
{{- define "cronlift.env.reserved" -}}
{{- $names := list }}
{{- if include "cronlift.database.hasOptions" . }}{{ $names = append $names "PYTHONPATH" }}{{ end }}
{{- with .Values.logs.remote }}
{{- if .existingSecret }}{{ $names = append $names (printf "AIRFLOW_CONN_%s" (upper .connectionId)) }}{{ end }}
{{- end }}
{{- $names | toYaml }}
{{- end }}

{{/* cronlift.env.oidc: client and cookie key of the identity provider, for the api-server only. Scope: the root. */}}
{{- define "cronlift.env.oidc" -}}
{{- range $name, $key := dict "CRONLIFT_OIDC_CLIENT_ID" "client-id" "CRONLIFT_OIDC_CLIENT_SECRET" "client-secret" "CRONLIFT_OIDC_SESSION_KEY" "session-key" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.auth.oidc.existingSecret }}, key: {{ $key }}}
{{- end }}
{{- end }}

{{/* cronlift.env.logs: the connection to the store of task logs. Scope: the root. */}}
{{- define "cronlift.env.logs" -}}
{{- with .Values.logs.remote }}
{{- if .existingSecret }}
- name: AIRFLOW_CONN_{{ .connectionId | upper }}
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: {{ .key | quote }}}
{{- end }}
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
