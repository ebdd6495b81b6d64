{{/*
cronlift.test.pod: a pod of `helm test`. Scope: dict "root" $ "name" "bundles" "command" words "account" whose rights
"database" true when it asks the database "token" true when it calls the Kubernetes API.
*/}}
{{- define "cronlift.test.pod" -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" "test" "name" (printf "%s-%s" (include "cronlift.test.fullname" .root) .name)) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    # Kept after a failure, so that its log can be read.
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  {{- include "cronlift.pod.head" (dict "root" .root "component" "test" "account" .account) | nindent 2 }}
  restartPolicy: Never
  containers:
    - name: {{ .name }}
      {{- include "cronlift.container.image" .root.Values.images.airflow | nindent 6 }}
      command: {{ .command | toJson }}
      env:
        {{- if .database }}
        {{- include "cronlift.env.database" (dict "root" .root) | nindent 8 }}
        {{- end }}
        - {name: OPENSHIFT, value: {{ .root.Values.openshift.enabled | quote }}}
      securityContext:
        {{- include "cronlift.container.securityContext" . | nindent 8 }}
      resources:
        {{- include "cronlift.resources.light" . | nindent 8 }}
      volumeMounts:
        {{- include "cronlift.scripts.mount" .root | nindent 8 }}
        {{- if .database }}
        {{- include "cronlift.database.mounts" .root | nindent 8 }}
        {{- end }}
        {{- if .token }}
        {{- include "cronlift.token.mount" . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "cronlift.scripts.volume" .root | nindent 4 }}
    {{- if .database }}
    {{- include "cronlift.database.volumes" .root | nindent 4 }}
    {{- end }}
    {{- if .token }}
    {{- include "cronlift.token.volume" . | nindent 4 }}
    {{- end }}
{{- end }}
