{{/*
cronlift.pod.head: what every pod's spec begins with: account without a mounted token, pull secrets, the restricted
security context, scheduling. Used by every pod of the release.
Scope: dict "root" $ "component" "scheduler", and optionally
  account   whose ServiceAccount it runs as, when not the component's own
  pod       the component's key `pod`, which adds to `pods` and wins
  user, group   of the image (50000 and 0, Airflow's)
  replicas  more than one are spread over zones and nodes
  together  labels of pods with which it must share a node
*/}}
{{- define "cronlift.pod.head" -}}
{{- $pod := include "cronlift.pod.settings" . | fromYaml -}}
serviceAccountName: {{ include "cronlift.fullname" .root }}-{{ .account | default .component }}
automountServiceAccountToken: false
# Service links would add a dozen variables per Service of the namespace.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not .root.Values.openshift.enabled }}
  runAsUser: {{ .user | default 50000 }}
  # Group 0 and its fsGroup: an arbitrary user of OpenShift and the files of a volume agree.
  runAsGroup: {{ .group | default 0 }}
  fsGroup: {{ .group | default 0 }}
  {{- end }}
  # Large volumes would otherwise be walked through at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "cronlift.pod.affinity" (dict "affinity" $pod.affinity "together" .together) }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- if gt (int (.replicas | default 1)) 1 }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    # Anyway: in a small cluster two on one node are better than one pending.
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "cronlift.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/* cronlift.pod.settings: `pods` with a component's `pod` over it, as YAML. Scope: that of cronlift.pod.head. */}}
{{- define "cronlift.pod.settings" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.pods) (deepCopy (.pod | default dict)) | toYaml }}
{{- end }}

{{/* cronlift.pod.labels: labels of a pod; those of the selector win over yours. Scope: that of cronlift.pod.head. */}}
{{- define "cronlift.pod.labels" -}}
{{- $own := (include "cronlift.pod.settings" . | fromYaml).labels | default dict }}
{{- mustMergeOverwrite (deepCopy $own) (include "cronlift.selectorLabels" . | fromYaml) | toYaml }}
{{- end }}

{{/* cronlift.pod.annotations: your annotations of a pod; may be empty. Scope: that of cronlift.pod.head. */}}
{{- define "cronlift.pod.annotations" -}}
{{- with (include "cronlift.pod.settings" . | fromYaml).annotations }}{{ toYaml . }}{{ end }}
{{- end }}

{{/*
cronlift.pod.affinity: your affinity, and the pods with which this one must share a node.
Scope: dict "affinity" yours "together" labels; both may be empty.
*/}}
{{- define "cronlift.pod.affinity" -}}
{{- $affinity := deepCopy (.affinity | default dict) }}
{{- if .together }}
  {{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" .together) }}
  {{- $pods := get $affinity "podAffinity" | default dict }}
  {{- $terms := append (get $pods "requiredDuringSchedulingIgnoredDuringExecution" | default list) $term }}
  {{- $_ := set $affinity "podAffinity" (set $pods "requiredDuringSchedulingIgnoredDuringExecution" $terms) }}
{{- end }}
{{- with $affinity }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* cronlift.container.securityContext: of every container, init containers too: Pod Security Standard "restricted". No scope. */}}
{{- define "cronlift.container.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
capabilities:
  drop: [ALL]
{{- end }}

{{/* cronlift.resources.light: of containers that run a script of a second. No scope. */}}
{{- define "cronlift.resources.light" -}}
requests: {cpu: 5m, memory: 32Mi}
limits: {cpu: "1", memory: 256Mi}
{{- end }}

{{/* cronlift.container.image: image and pull policy. Scope: a map of images.<x>. */}}
{{- define "cronlift.container.image" -}}
image: {{ include "cronlift.image" . | quote }}
imagePullPolicy: IfNotPresent
{{- end }}

{{/*
cronlift.wait: the init container that waits for the database, and refuses one that this image or this fernet key
cannot read. Scope: dict "root" $ "migrated" bool "direct" bool "secrets" the keys of the pod ("fernet" is the one it uses).
It holds no setting but connection and key, so that it need not change when they do.
*/}}
{{- define "cronlift.wait" -}}
- name: wait-for-{{ ternary "migration" "database" .migrated }}
  {{- include "cronlift.container.image" .root.Values.images.airflow | nindent 2 }}
  command: [python, /opt/cronlift/wait_for_database.py{{ if .migrated }}, --migrated{{ end }}]
  # What it says at its end shows in `kubectl describe pod`.
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    {{- include "cronlift.env.database" . | nindent 4 }}
    {{- if has "fernet" .secrets }}
    {{- include "cronlift.env.secret" (dict "root" .root "name" "AIRFLOW__CORE__FERNET_KEY" "key" "fernet-key") | nindent 4 }}
    {{- end }}
    - {name: CRONLIFT_SECRET, value: {{ .root.Release.Namespace }}/{{ include "cronlift.secret.name" .root }}}
  securityContext:
    {{- include "cronlift.container.securityContext" . | nindent 4 }}
  resources:
    {{- include "cronlift.resources.light" . | nindent 4 }}
  volumeMounts:
    - {name: scripts, mountPath: /opt/cronlift, readOnly: true}
    {{- include "cronlift.keys.mount" .root | nindent 4 }}
    {{- include "cronlift.database.mounts" .root | nindent 4 }}
{{- end }}
