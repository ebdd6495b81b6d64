{{/*
cronlift.job: a plain Job whose name ends in the hash of its own Pod: the same settings are the same Job (nothing to
do), others are a new one. No hook, so that `--wait`, Argo CD and Flux cannot deadlock on it.
A Job that has failed for good would never run again, because a corrected Secret changes no name: so it is tried for a
day, by the kubelet in the one Pod (OnFailure), which waits five minutes at most between two tries and reads Secrets anew.
Not longer, because helm forgets the Jobs of an upgrade that failed, and a downgrade only three times more: it must not
find a moment without Airflow days later.
Scope: dict "root" $ "component" "migrate" "spec" the Pod's spec as text "scripts" contents of what it runs.
*/}}
{{- define "cronlift.job" -}}
{{- $hash := print .spec (include "cronlift.job.podMetadata" .) (.scripts | default "") | sha256sum | trunc 10 -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s-%s" (include "cronlift.fullname" .root) .component $hash)) | nindent 2 }}
spec:
  {{- $isDown := and (eq .component "migrate") (not (empty .root.Values.migrate.downgradeTo)) }}
  backoffLimit: {{ $isDown | ternary 3 300 }}
  template:
    metadata:
      {{- include "cronlift.job.podMetadata" . | nindent 6 }}
    spec:
      restartPolicy: {{ $isDown | ternary "Never" "OnFailure" }}
      {{- .spec | nindent 6 }}
{{- end }}

{{/* cronlift.job.podMetadata: labels and annotations of the pods of Jobs. Scope: dict "root" $ "component" "migrate". */}}
{{- define "cronlift.job.podMetadata" -}}
labels:
  {{- include "cronlift.pod.labels" . | nindent 2 }}
{{- with include "cronlift.pod.annotations" . }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
cronlift.cronJob: a CronJob. Scope: dict "root" $ "component" "sweep" "values" its block "spec" the Pod's spec as text
"retries" of one run "deadline" seconds that it may take.
*/}}
{{- define "cronlift.cronJob" -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s" (include "cronlift.fullname" .root) .component)) | nindent 2 }}
spec:
  schedule: {{ .values.schedule | quote }}
  concurrencyPolicy: Forbid
  {{- if .root.Values.migrate.downgradeTo }}
  suspend: true
  {{- end }}
  # Without it, a hundred missed starts (a cluster that was switched off) would stop the schedule for good.
  startingDeadlineSeconds: 300
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 1
  jobTemplate:
    metadata:
      labels:
        {{- include "cronlift.selectorLabels" . | nindent 8 }}
    spec:
      backoffLimit: {{ .retries }}
      activeDeadlineSeconds: {{ .deadline }}
      template:
        metadata:
          {{- include "cronlift.job.podMetadata" . | nindent 10 }}
        spec:
          {{- .spec | nindent 10 }}
{{- end }}

{{/*
cronlift.serviceAccount: an account without a token in its pods.
Scope: dict "root" $ "component" "scheduler" "cloud" true for pods that reach logs or database with an identity of the cloud.
*/}}
{{- define "cronlift.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "cronlift.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s" (include "cronlift.fullname" .root) .component)) | nindent 2 }}
  {{- if .cloud }}
  {{- with .root.Values.serviceAccounts.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
