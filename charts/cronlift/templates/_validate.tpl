{{/*
cronlift.validate: combinations that the schema cannot see. Collects all faults and fails once; each names its key
and the cure. Scope: the root. Called by templates/validate.yaml.
*/}}
{{- define "cronlift.validate" -}}
{{- $faults := list }}
{{- if not .Values.images.airflow.repository }}
  {{- $faults = append $faults "images.airflow.repository is empty: name the registry and repository to which you pushed this repo's images/airflow." }}
{{- end }}
{{- if not (or .Values.images.airflow.tag .Values.images.airflow.digest) }}
  {{- $faults = append $faults "images.airflow.tag and .digest are empty: give the tag or digest of your build (never latest)." }}
{{- end }}
{{- range $name, $image := .Values.images }}
  {{- if eq ($image.tag | toString) "latest" }}
    {{- $faults = append $faults (printf "images.%s.tag is latest, which changes under you: give a version or a digest." $name) }}
  {{- end }}
{{- end }}
{{- if not .Values.git.url }}
  {{- $faults = append $faults "git.url is empty: give the repository that holds the DAG folders, for example https://git.example.com/platform/cronlift.git." }}
{{- end }}
{{- if contains "@" (regexFind "^https?://[^/]*" .Values.git.url) }}
  {{- $faults = append $faults "git.url holds credentials: put them into a Secret and name it in git.auth.existingSecret." }}
{{- end }}
{{- if and (ne .Values.git.auth.type "none") (not .Values.git.auth.existingSecret) }}
  {{- $faults = append $faults (printf "git.auth.existingSecret is empty although git.auth.type is %s: name the Secret (ssh: keys ssh and known_hosts; https: username and password)." .Values.git.auth.type) }}
{{- end }}
{{- if and (eq .Values.git.auth.type "none") .Values.git.auth.existingSecret }}
  {{- $faults = append $faults "git.auth.existingSecret is set but git.auth.type is none: set the type to ssh or https." }}
{{- end }}
{{- if and (not .Values.postgres.enabled) (not .Values.database.existingSecret) }}
  {{- $faults = append $faults "postgres.enabled is false and database.existingSecret is empty: name the Secret whose key (database.key) is the connection URL of your database." }}
{{- end }}
{{- if and .Values.postgres.enabled .Values.database.existingSecret }}
  {{- $faults = append $faults "database.existingSecret is set but postgres.enabled is true: set postgres.enabled=false to use your database." }}
{{- end }}
{{- if ne .Values.logs.volume.accessMode "ReadWriteMany" }}
  {{- range $key, $block := dict "apiServer" .Values.apiServer "scheduler" .Values.scheduler "triggerer" .Values.triggerer }}
    {{- if gt (int $block.replicas) 1 }}
      {{- $faults = append $faults (printf "%s.replicas is %d, but the logs volume can be used on one node only: set logs.volume.accessMode=ReadWriteMany (with a storage class that has it) or replicas to 1." $key (int $block.replicas)) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and .Values.apiServer.service.nodePort (ne .Values.apiServer.service.type "NodePort") }}
  {{- $faults = append $faults (printf "apiServer.service.nodePort is set but the type is %s: set apiServer.service.type=NodePort or leave the port out." .Values.apiServer.service.type) }}
{{- end }}
{{- $namespaces := dict }}
{{- range $team, $settings := .Values.teams }}
  {{- if eq $settings.namespace $.Release.Namespace }}
    {{- $faults = append $faults (printf "teams.%s.namespace is the release's own (%s): a team's Jobs need a namespace of their own." $team $settings.namespace) }}
  {{- end }}
  {{- with get $namespaces $settings.namespace }}
    {{- $faults = append $faults (printf "teams.%s.namespace is also that of team %s: give each team its own." $team .) }}
  {{- end }}
  {{- $_ := set $namespaces $settings.namespace $team }}
{{- end }}
{{- range $section, $options := .Values.config }}
  {{- range $option := list "sql_alchemy_conn" "fernet_key" "secret_key" "jwt_secret" "dag_bundle_config_list" "simple_auth_manager_passwords_file" }}
    {{- if hasKey $options $option }}
      {{- $faults = append $faults (printf "config.%s.%s belongs to the chart: secrets come from secrets.existingSecret or database.existingSecret, bundles from teams." $section $option) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if $faults }}
  {{- fail (printf "\n\n%d fault(s) in the values:\n- %s\n" (len $faults) (join "\n- " $faults)) }}
{{- end }}
{{- end }}
