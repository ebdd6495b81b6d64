{{/*
cronlift.metrics.file: a file about these metrics, with its words in capitals filled in: the alerts and the dashboard.
SCRAPE_LABELS are those that Prometheus gives an exporter's pod. Without them an alert stays the same when that pod is
replaced; namespace is kept, by which the Prometheus Operator routes alerts to an AlertmanagerConfig.
Scope: dict "root" $ "file" "files/alerts.yaml".
*/}}
{{- define "cronlift.metrics.file" -}}
{{- $deployment := printf "%s/%s" .root.Release.Namespace .root.Release.Name }}
{{- $seconds := mul 60 .root.Values.metrics.prometheusRule.lateAfterMinutes | toString }}
{{- $labels := "pod, instance, endpoint, container, service, job" }}
{{- .root.Files.Get .file | replace "DEPLOYMENT" $deployment | replace "NAMESPACE" .root.Release.Namespace | replace "LATE_SECONDS" $seconds | replace "SCRAPE_LABELS" $labels }}
{{- end }}
