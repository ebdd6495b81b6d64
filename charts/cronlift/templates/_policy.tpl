{{/*
cronlift.policy.enabled: whether the API server is to hold Jobs to the rules; empty for no. v1 is there since
Kubernetes 1.30. Scope: the root.
*/}}
{{- define "cronlift.policy.enabled" -}}
{{- if and .Values.policy.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}true{{ end }}
{{- end }}

{{/*
cronlift.policy.rules: JSON, what cronlift.policy reads of a team in CRONLIFT_TEAMS: keys as in teams.yaml. A team that
names its images may use the deployment's too, and the canary its own. Scope: dict "root" $ "settings" the team's map.
*/}}
{{- define "cronlift.policy.rules" -}}
{{- $rules := pick .settings "podSecurity" "quota" "containerDefaults" }}
{{- with .settings.images }}
  {{- $images := . }}
  {{- $more := append (values $.root.Values.jobImages | sortAlpha) (include "cronlift.canary.image" $.root) }}
  {{- range $more }}
    {{- $images = append $images (regexReplaceAll "(:[^/:@]+)?(@.*)?$" . "") }}
  {{- end }}
  {{- $_ := set $rules "images" ($images | uniq) }}
{{- end }}
{{- $rules | toJson }}
{{- end }}

{{/*
cronlift.policy.variables: JSON, the literals of a team in its admission policy; cronlift.policy.admission makes the
same of `cronlift.policy.rules`, and a test compares them. Scope: as above.
*/}}
{{- define "cronlift.policy.variables" -}}
{{- $rules := include "cronlift.policy.rules" . | fromJson }}
{{- $quota := dict }}
{{- range $key, $most := $rules.quota }}
  {{- $name := has $key (list "cpu" "memory") | ternary (print "requests." $key) $key }}
  {{- if has $name (list "requests.cpu" "requests.memory" "limits.cpu" "limits.memory") }}
    {{- $_ := set $quota $name (toString $most) }}
  {{- end }}
{{- end }}
{{- $given := $rules.containerDefaults | default dict }}
{{- $defaults := dict }}
{{- range $name, $amount := $given.limits }}
  {{- $_ := set $defaults (print "limits." $name) (toString $amount) }}
  {{- $_ := set $defaults (print "requests." $name) (toString $amount) }}
{{- end }}
{{- range $name, $amount := $given.requests }}
  {{- $_ := set $defaults (print "requests." $name) (toString $amount) }}
{{- end }}
{{- $defaults = pick $defaults "requests.cpu" "requests.memory" "limits.cpu" "limits.memory" }}
{{- $mustRequest := list }}
{{- range list "cpu" "memory" }}
  {{- if not (hasKey $defaults (print "requests." .)) }}{{ $mustRequest = append $mustRequest . }}{{ end }}
{{- end }}
{{- dict "home" .settings.namespace "level" ($rules.podSecurity | default "restricted")
  "images" ($rules.images | default list) "quota" $quota "defaults" $defaults
  "mustRequest" $mustRequest "mustLimit" (hasKey $defaults "limits.memory" | ternary list (list "memory")) | toJson }}
{{- end }}
