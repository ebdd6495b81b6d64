{{/*
Pieces that every pod shares, all of the Pod Security Standard "restricted".
cronlift.pod.securityContext: Airflow's uid; group 0 and fsGroup 0, so that an arbitrary uid of OpenShift
and the volume's files agree. Scope: dict "user" 50000 "group" 0.
*/}}
{{- define "cronlift.pod.securityContext" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .group }}
fsGroup: {{ .group }}
# Large volumes would otherwise be walked through at each start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* cronlift.container.securityContext: of every container, init containers too. No scope. */}}
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
cronlift.wait: the init container that waits for the database. Scope: dict "root" $ "migrated" bool.
It holds no setting but the connection, so that it need not change when they do.
*/}}
{{- define "cronlift.wait" -}}
- name: wait-for-{{ ternary "migration" "database" .migrated }}
  {{- include "cronlift.container.image" .root.Values.images.airflow | nindent 2 }}
  command: [python, /opt/cronlift/wait_for_database.py{{ if .migrated }}, --migrated{{ end }}]
  env:
    {{- include "cronlift.env.database" .root | nindent 4 }}
  securityContext:
    {{- include "cronlift.container.securityContext" . | nindent 4 }}
  resources:
    {{- include "cronlift.resources.light" . | nindent 4 }}
  volumeMounts:
    - {name: scripts, mountPath: /opt/cronlift, readOnly: true}
    {{- include "cronlift.keys.mount" .root | nindent 4 }}
{{- end }}

{{/*
cronlift.keys.volume / .mount: hold the pod until the bootstrap Job has filled the Secret. A missing key of a
volume is looked for again after 0.5, 1, 2, 4 s, one of an env variable only after 10 to 15 s. Scope: the root.
*/}}
{{- define "cronlift.keys.volume" -}}
- name: keys
  secret:
    secretName: {{ include "cronlift.secret.name" . }}
    defaultMode: 0440
    items:
      - {key: jwt-secret, path: filled}
{{- end }}
{{- define "cronlift.keys.mount" -}}
- {name: keys, mountPath: /run/keys, readOnly: true}
{{- end }}

{{/*
cronlift.clusters.volumes / .mounts: the kubeconfigs of other clusters, for the pods that follow or sweep Jobs there.
Whole folders: a file mounted by subPath would never show a renewed credential. Scope: the root.
*/}}
{{- define "cronlift.clusters.volumes" -}}
{{- range $name, $settings := .Values.clusters }}
- name: cluster-{{ $name }}
  secret:
    secretName: {{ $settings.existingSecret }}
    defaultMode: 0440
    items:
      - {key: {{ $settings.key | default "kubeconfig" | quote }}, path: kubeconfig}
{{- end }}
{{- end }}
{{- define "cronlift.clusters.mounts" -}}
{{- range $name, $_ := .Values.clusters }}
- {name: cluster-{{ $name }}, mountPath: /etc/cronlift/clusters/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}

{{/* cronlift.token.volume / .mount: the account's token where client libraries look for it. Only for pods that call the Kubernetes API. No scope. */}}
{{- define "cronlift.token.volume" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}
{{- define "cronlift.token.mount" -}}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
