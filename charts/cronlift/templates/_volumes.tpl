{{/* cronlift.scripts.volume / .mount: the small programs of the chart. Scope: the root. */}}
{{- define "cronlift.scripts.volume" -}}
- name: scripts
  configMap:
    name: {{ include "cronlift.scripts.fullname" . }}
{{- end }}
{{- define "cronlift.scripts.mount" -}}
- {name: scripts, mountPath: /opt/cronlift, readOnly: true}
{{- end }}

{{/*
cronlift.jobImages.volume / .mount: the list of `jobImages` as a file. Kubernetes shows a changed list to running pods
within about a minute, so a new image of the jobs restarts nothing. A whole folder: a subPath would never change.
Scope: the root.
*/}}
{{- define "cronlift.jobImages.volume" -}}
- name: job-images
  configMap:
    name: {{ include "cronlift.jobImages.fullname" . }}
{{- end }}
{{- define "cronlift.jobImages.mount" -}}
- {name: job-images, mountPath: /etc/cronlift/job-images, readOnly: true}
{{- end }}

{{/*
cronlift.keys.volume / .mount: hold the pod until the bootstrap Job has filled the Secret. A missing key of a
volume is looked for again after 0.5, 1, 2, 4 s, one of an env variable only after 10 to 15 s. A Secret of yours is
there or not: nothing fills it. Scope: the root.
*/}}
{{- define "cronlift.keys.volume" -}}
{{- if not .Values.secrets.existingSecret }}
- name: keys
  secret:
    secretName: {{ include "cronlift.secret.name" . }}
    defaultMode: 0440
    items:
      - {key: filled, path: filled}
{{- end }}
{{- end }}
{{- define "cronlift.keys.mount" -}}
{{- if not .Values.secrets.existingSecret }}
- {name: keys, mountPath: /run/keys, readOnly: true}
{{- end }}
{{- end }}

{{/* cronlift.database.volumes / .mounts: the CA of your database, for all who talk to it. Scope: the root. */}}
{{- define "cronlift.database.volumes" -}}
{{- if and (not .Values.postgres.enabled) .Values.database.tls.caSecret }}
- name: database-ca
  secret:
    secretName: {{ .Values.database.tls.caSecret }}
    defaultMode: 0444
    items:
      - {key: {{ .Values.database.tls.caKey | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- define "cronlift.database.mounts" -}}
{{- if and (not .Values.postgres.enabled) .Values.database.tls.caSecret }}
- {name: database-ca, mountPath: /etc/cronlift/database, readOnly: true}
{{- end }}
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

{{/* cronlift.extra.volumes / .mounts: your own, in Airflow pods. Scope: the root. */}}
{{- define "cronlift.extra.volumes" -}}
{{- with .Values.extra.volumes }}{{ toYaml . }}{{ end }}
{{- end }}
{{- define "cronlift.extra.mounts" -}}
{{- with .Values.extra.volumeMounts }}{{ toYaml . }}{{ end }}
{{- end }}
