{{/*
cronlift.metrics.file: a file about these metrics, with its words in capitals filled in: the alerts and the dashboard.
SCRAPE_LABELS are those that Prometheus gives an exporter's pod. Without them an alert stays the same when that pod is
replaced; namespace is kept, by which the Prometheus Operator routes alerts to an AlertmanagerConfig.
Scope: dict "root" $ "file" "files/alerts.yaml".
*/}}
{{- define "cronlift.metrics.file" -}}
{{- $late := .root.Values.metrics.prometheusRule.lateAfterMinutes }}
{{- $words := dict
  "DEPLOYMENT" (printf "%s/%s" .root.Release.Namespace .root.Release.Name)
  "NAMESPACE" .root.Release.Namespace
  "LATE_MINUTES" (int $late)
  "LATE_SECONDS" (mul 60 $late)
  "SCRAPE_LABELS" "pod, instance, endpoint, container, service, job"
}}
{{- $text := .root.Files.Get .file }}
{{- range $word, $value := $words }}
  {{- $text = replace $word (toString $value) $text }}
{{- end }}
{{- $text }}
{{- end }}
