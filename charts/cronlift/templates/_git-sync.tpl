{{/*
cronlift.gitSync.repositories: a list of all repositories as YAML, each with what its sidecar needs: `name` of the
container and volume, `root` of the mount, `port` and `portName` of its metrics. The one of `git` comes first.
Scope: the root. Trap: a new repository moves the ports of those after it in the alphabet, which restarts the readers,
as it must.
*/}}
{{- define "cronlift.gitSync.repositories" -}}
{{- $git := .Values.git }}
{{- $all := list }}
{{- if $git.url }}
  {{- $all = append $all (merge (dict "name" "git" "container" "git-sync" "root" "/git" "port" 9301 "portName" "git-metrics") (omit $git "resources")) }}
{{- end }}
{{- $number := 1 }}
{{- range $name, $own := .Values.repositories }}
  {{- $number = add $number 1 }}
  {{- /* Overwrites rather than merges, which takes a depth of 0 for none. */}}
  {{- $own = mustMergeOverwrite (dict "auth" (dict "type" "none" "existingSecret" "")) (pick $git "ref" "period" "depth" "syncTimeoutSeconds") (deepCopy $own) }}
  {{- $place := dict "name" (printf "git-%s" $name) "container" (printf "git-sync-%s" $name) "root" (printf "/repositories/%s" $name) "port" (add 9300 $number) "portName" (printf "git-metrics-%d" $number) }}
  {{- $all = append $all (merge $place $own) }}
{{- end }}
{{- $all | toYaml }}
{{- end }}

{{/* cronlift.gitSync.containers: the sidecars of all repositories. Scope: the root. Used by dag-processor and scheduler. */}}
{{- define "cronlift.gitSync.containers" -}}
{{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
{{ include "cronlift.gitSync.container" (dict "root" $ "git" .) }}
{{- end }}
{{- end }}

{{/*
cronlift.gitSync.container: git-sync as a native sidecar (an init container that stays): the pod's main container
starts after the first sync. Scope: dict "root" $ "git" one of cronlift.gitSync.repositories.
Flags rather than variables: git-sync ignores a misspelt variable and refuses a misspelt flag.
Trap: with --depth=1 a fetch that is killed in the middle makes git-sync wipe the tree that it has published;
with the whole history (git.depth 0) it keeps it, which is why that is the default.
*/}}
{{- define "cronlift.gitSync.container" -}}
{{- $git := .git -}}
- name: {{ $git.container }}
  {{- include "cronlift.container.image" .root.Values.images.gitSync | nindent 2 }}
  restartPolicy: Always
  args:
    - --repo={{ $git.url }}
    - --ref={{ $git.ref }}
    - --depth={{ $git.depth }}
    - --root={{ $git.root }}
    - --link=current
    - --period={{ $git.period }}
    - --init-period=2s
    - --init-max-failures=60
    - --max-failures=-1
    - --sync-timeout={{ $git.syncTimeoutSeconds }}s
    - --stale-worktree-timeout=6h
    - --submodules=off
    - --http-bind=:{{ $git.port }}
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
    {{- if $git.caSecret }}
    - {name: GIT_SSL_CAINFO, value: /etc/git-ca/ca.crt}
    {{- end }}
    {{- range .root.Values.extra.env }}
    {{- if has (upper .name) (list "HTTP_PROXY" "HTTPS_PROXY" "NO_PROXY") }}
    - {{ toJson . }}
    {{- end }}
    {{- end }}
    {{- if eq $git.auth.type "https" }}
    - name: GITSYNC_USERNAME
      valueFrom:
        secretKeyRef: {name: {{ $git.auth.existingSecret }}, key: username}
    {{- end }}
  ports:
    - {name: {{ $git.portName }}, containerPort: {{ $git.port }}}
  # Longer than all first tries together (60 x (sync timeout + 2 s)), so that git-sync itself says what is wrong.
  startupProbe:
    httpGet: {path: /, port: {{ $git.portName }}}
    periodSeconds: 1
    timeoutSeconds: 3
    failureThreshold: {{ mul 60 (add $git.syncTimeoutSeconds 5) }}
  securityContext:
    {{- if not .root.Values.openshift.enabled }}
    runAsUser: 65533
    runAsGroup: 65533
    {{- end }}
    {{- include "cronlift.container.securityContext" . | nindent 4 }}
  resources:
    {{- toYaml .root.Values.git.resources | nindent 4 }}
  volumeMounts:
    - {name: {{ $git.name }}, mountPath: {{ $git.root }}}
    - {name: {{ $git.name }}-tmp, mountPath: /tmp}
    {{- if ne $git.auth.type "none" }}
    - {name: {{ $git.name }}-secret, mountPath: /etc/git-secret, readOnly: true}
    {{- end }}
    {{- if $git.caSecret }}
    - {name: {{ $git.name }}-ca, mountPath: /etc/git-ca, readOnly: true}
    {{- end }}
{{- end }}

{{/* cronlift.gitSync.mounts: the trees and the bundles' copies, for the container that reads them. Scope: the root. */}}
{{- define "cronlift.gitSync.mounts" -}}
- {name: bundles, mountPath: /bundles}
{{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
- {name: {{ .name }}, mountPath: {{ .root }}, readOnly: true}
{{- end }}
{{- end }}

{{/* cronlift.gitSync.volumes: their volumes; no sizeLimit, which would evict the whole pod. Scope: the root. */}}
{{- define "cronlift.gitSync.volumes" -}}
- name: bundles
  emptyDir: {}
{{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
- name: {{ .name }}
  emptyDir: {}
- name: {{ .name }}-tmp
  emptyDir: {}
{{- if ne .auth.type "none" }}
- name: {{ .name }}-secret
  secret:
    secretName: {{ .auth.existingSecret }}
    defaultMode: {{ ternary "0440" "0400" $.Values.openshift.enabled }}
    # Named, so that a Secret without one keeps the pod waiting with its name in the events.
    items:
      {{- range ternary (list "ssh" "known_hosts") (list "password") (eq .auth.type "ssh") }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- if .caSecret }}
- name: {{ .name }}-ca
  secret:
    secretName: {{ .caSecret }}
    defaultMode: 0444
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}

{{/*
cronlift.gitSync.egress: the ports of all repositories' URLs, each once, for the NetworkPolicies; to the servers of
networkPolicy.gitCidrs alone, where given. Scope: the root.
*/}}
{{- define "cronlift.gitSync.egress" -}}
{{- $ports := list }}
{{- range include "cronlift.gitSync.repositories" . | fromYamlArray }}
  {{- $ports = append $ports (include "cronlift.gitSync.port" .url) }}
{{- end }}
{{- range $ports | uniq | sortAlpha }}
- ports: [{port: {{ . }}}]
  {{- with $.Values.networkPolicy.gitCidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* cronlift.gitSync.port: the port of a git URL. Scope: the URL. */}}
{{- define "cronlift.gitSync.port" -}}
{{- $url := . }}
{{- $default := 22 }}
{{- if hasPrefix "https://" $url }}{{ $default = 443 }}{{ else if hasPrefix "http://" $url }}{{ $default = 80 }}{{ else if hasPrefix "git://" $url }}{{ $default = 9418 }}{{ end }}
{{- if contains "://" $url }}{{ regexFind ":[0-9]+$" (urlParse $url).host | trimPrefix ":" | default ($default | toString) }}{{ else }}22{{ end }}
{{- end }}
