{{/*
cronlift.gitSync.container: git-sync as a native sidecar (an init container that stays): the pod's main container
starts after the first sync. Scope: the root. Used by dag-processor and scheduler, which read DAG files.
Flags rather than variables: git-sync ignores a misspelt variable and refuses a misspelt flag.
Trap: with --depth=1 a fetch that is killed in the middle makes git-sync wipe the tree that it has published;
with the whole history (git.depth 0) it keeps it, which is why that is the default.
*/}}
{{- define "cronlift.gitSync.container" -}}
{{- $git := .Values.git -}}
- name: git-sync
  {{- include "cronlift.container.image" .Values.images.gitSync | nindent 2 }}
  restartPolicy: Always
  args:
    - --repo={{ $git.url }}
    - --ref={{ $git.ref }}
    - --depth={{ $git.depth }}
    - --root=/git
    - --link=current
    - --period={{ $git.period }}
    - --init-period=2s
    - --init-max-failures=60
    - --max-failures=-1
    - --sync-timeout={{ $git.syncTimeoutSeconds }}s
    - --stale-worktree-timeout=6h
    - --submodules=off
    - --http-bind=:9301
    - --http-metrics
    # A stalled https connection outlives --sync-timeout; git itself ends it.
    - --git-config=http.lowSpeedLimit:100,http.lowSpeedTime:8
    {{- if eq $git.auth.type "ssh" }}
    - --ssh-key-file=/etc/git-secret/ssh
    - --ssh-known-hosts=true
    - --ssh-known-hosts-file=/etc/git-secret/known_hosts
    {{- else if eq $git.auth.type "https" }}
    - --password-file=/etc/git-secret/password
    {{- end }}
  env:
    - {name: HOME, value: /tmp}
    # The same for ssh: without keep-alives a dead connection stops syncing for ever.
    - name: GIT_SSH_COMMAND
      value: ssh -o ServerAliveInterval=3 -o ServerAliveCountMax=2 -o ConnectTimeout=5
    {{- if eq $git.auth.type "https" }}
    - name: GITSYNC_USERNAME
      valueFrom:
        secretKeyRef: {name: {{ $git.auth.existingSecret }}, key: username}
    {{- end }}
  ports:
    - {name: git-metrics, containerPort: 9301}
  # Longer than all first tries together (60 x (sync timeout + 2 s)), so that git-sync itself says what is wrong.
  startupProbe:
    httpGet: {path: /, port: git-metrics}
    periodSeconds: 1
    timeoutSeconds: 3
    failureThreshold: {{ mul 60 (add $git.syncTimeoutSeconds 5) }}
  securityContext:
    runAsUser: 65533
    runAsGroup: 65533
    {{- include "cronlift.container.securityContext" . | nindent 4 }}
  resources:
    {{- toYaml $git.resources | nindent 4 }}
  volumeMounts:
    - {name: git, mountPath: /git}
    - {name: git-tmp, mountPath: /tmp}
    {{- if ne $git.auth.type "none" }}
    - {name: git-secret, mountPath: /etc/git-secret, readOnly: true}
    {{- end }}
{{- end }}

{{/* cronlift.gitSync.volumes: its volumes; no sizeLimit, which would evict the whole pod. Scope: the root. */}}
{{- define "cronlift.gitSync.volumes" -}}
- name: git
  emptyDir: {}
- name: git-tmp
  emptyDir: {}
{{- if ne .Values.git.auth.type "none" }}
- name: git-secret
  secret:
    secretName: {{ .Values.git.auth.existingSecret }}
    defaultMode: 0400
{{- end }}
{{- end }}

{{/* cronlift.gitSync.port: the port of git.url, for the NetworkPolicy. Scope: the root. */}}
{{- define "cronlift.gitSync.port" -}}
{{- $url := .Values.git.url }}
{{- $default := 22 }}
{{- if hasPrefix "https://" $url }}{{ $default = 443 }}{{ else if hasPrefix "http://" $url }}{{ $default = 80 }}{{ else if hasPrefix "git://" $url }}{{ $default = 9418 }}{{ end }}
{{- if contains "://" $url }}{{ regexFind ":[0-9]+$" (urlParse $url).host | trimPrefix ":" | default ($default | toString) }}{{ else }}22{{ end }}
{{- end }}
