{{/*
cronlift.validate: combinations that the schema cannot see. Collects the faults of all parts and fails once; each names
its key and the cure. Scope: the root. Called by templates/validate.yaml.
Each part below returns a YAML list of texts; scope of all: the root.
*/}}
{{- define "cronlift.validate" -}}
{{- $faults := list }}
{{- range list "renamed" "images" "git" "database" "access" "logs" "metrics" "notifications" "teams" "config" "preview" }}
  {{- $faults = concat $faults (include (printf "cronlift.validate.%s" .) $ | fromYamlArray) }}
{{- end }}
{{- if $faults }}
  {{- fail (printf "\n\n%d fault(s) in the values:\n- %s\n" (len $faults) (join "\n- " $faults)) }}
{{- end }}
{{- end }}

{{/* cronlift.validate.renamed: keys that are called otherwise now; a path of several keys may be any depth. */}}
{{- define "cronlift.validate.renamed" -}}
{{- $faults := list }}
{{- range $old, $entry := .Files.Get "files/renamed-values.yaml" | fromYaml }}
  {{- $found := $.Values }}
  {{- $there := true }}
  {{- range splitList "." $old }}
    {{- if and $there (kindIs "map" $found) (hasKey $found .) }}
      {{- $found = get $found . }}
    {{- else }}
      {{- $there = false }}
    {{- end }}
  {{- end }}
  {{- if $there }}
    {{- $whose := ternary "the official chart" (printf "chart %s" $entry.of) (eq $entry.of "official") }}
    {{- $cure := $entry.cure | default (printf "use %s" $entry.now) }}
    {{- $faults = append $faults (printf "%s is a key of %s: %s." $old $whose $cure) }}
  {{- end }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.images" -}}
{{- $faults := list }}
{{- if not .Values.images.airflow.repository }}
  {{- $faults = append $faults "images.airflow.repository is empty: name the registry and repository to which you pushed this repo's images/airflow." }}
{{- end }}
{{- if not (or .Values.images.airflow.tag .Values.images.airflow.digest) }}
  {{- $faults = append $faults "images.airflow.tag and .digest are empty: give the tag or digest of your build (never latest)." }}
{{- end }}
{{- range $name, $image := .Values.images }}
  {{- if kindIs "float64" $image.tag }}
    {{- $faults = append $faults (printf "images.%s.tag is a number without quotes, of which YAML keeps no more than its value (%v): put the tag into quotes." $name $image.tag) }}
  {{- end }}
  {{- if and (ne $name "airflow") (not (or $image.tag $image.digest)) }}
    {{- $faults = append $faults (printf "images.%s.tag and .digest are empty, which means latest: give a version or a digest." $name) }}
  {{- end }}
  {{- if eq ($image.tag | toString) "latest" }}
    {{- $faults = append $faults (printf "images.%s.tag is latest, which changes under you: give a version or a digest." $name) }}
  {{- end }}
{{- end }}
{{- if hasSuffix ":latest" .Values.canary.image }}
  {{- $faults = append $faults "canary.image is latest, which changes under you: give a version or a digest." }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.git" -}}
{{- $faults := list }}
{{- $needed := not .Values.teams }}
{{- range .Values.teams }}
  {{- if not .repo }}{{ $needed = true }}{{ end }}
{{- end }}
{{- if and $needed (not .Values.git.url) }}
  {{- $faults = append $faults "git.url is empty: give the repository that holds the DAG folders, for example https://git.example.com/platform/cronlift.git." }}
{{- end }}
{{- $all := dict "git" .Values.git }}
{{- range $name, $own := .Values.repositories }}
  {{- $_ := set $all (printf "repositories.%s" $name) $own }}
{{- end }}
{{- range $key, $git := $all }}
  {{- $auth := $git.auth | default dict }}
  {{- $type := $auth.type | default "none" }}
  {{- if and $git.url (not (regexMatch "^([a-z][a-z0-9+.-]*://|[^/@:]+@[^/:]+:)." $git.url)) }}
    {{- $faults = append $faults (printf "%s.url is %s, which has no scheme: give https://%s, or git@host:path over ssh." $key $git.url (trimPrefix "/" $git.url)) }}
  {{- end }}
  {{- if contains "@" (regexFind "^https?://[^/]*" $git.url) }}
    {{- $faults = append $faults (printf "%s.url holds credentials: put them into a Secret and name it in %s.auth.existingSecret." $key $key) }}
  {{- end }}
  {{- if and (ne $type "none") (not $auth.existingSecret) }}
    {{- $faults = append $faults (printf "%s.auth.existingSecret is empty although %s.auth.type is %s: name the Secret (ssh: keys ssh and known_hosts; https: username and password)." $key $key $type) }}
  {{- end }}
  {{- if and (eq $type "none") $auth.existingSecret }}
    {{- $faults = append $faults (printf "%s.auth.existingSecret is set but %s.auth.type is none: set the type to ssh or https." $key $key) }}
  {{- end }}
  {{- $isWeb := or (hasPrefix "https://" $git.url) (hasPrefix "http://" $git.url) }}
  {{- $isSsh := or (hasPrefix "ssh://" $git.url) (and (not (contains "://" $git.url)) (contains "@" $git.url)) }}
  {{- if and $git.url (eq $type "https") (not $isWeb) }}
    {{- $faults = append $faults (printf "%s.auth.type is https but %s.url is %s: give the https URL of the repository, or set the type to ssh." $key $key $git.url) }}
  {{- end }}
  {{- if and $git.url (eq $type "ssh") (not $isSsh) }}
    {{- $faults = append $faults (printf "%s.auth.type is ssh but %s.url is %s: give the ssh URL of the repository, ssh://git@host/path, or set the type to https." $key $key $git.url) }}
  {{- end }}
  {{- if and $isSsh (eq $type "none") }}
    {{- $faults = append $faults (printf "%s.url is reached over ssh but %s.auth.type is none: set it to ssh, with a Secret that has ssh and known_hosts." $key $key) }}
  {{- end }}
  {{- if and (get $git "caSecret") (not (hasPrefix "https://" $git.url)) }}
    {{- $faults = append $faults (printf "%s.caSecret is set but %s.url is not https: leave it out." $key $key) }}
  {{- end }}
  {{- if and $.Values.openshift.enabled (eq $type "ssh") }}
    {{- $faults = append $faults (printf "%s.auth.type is ssh, but ssh refuses the users that OpenShift makes up: use https with a token." $key) }}
  {{- end }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.database" -}}
{{- $faults := list }}
{{- $database := .Values.database }}
{{- if .Values.postgres.enabled }}
  {{- range $key, $value := dict "existingSecret" $database.existingSecret "host" $database.host "tls.caSecret" $database.tls.caSecret }}
    {{- if $value }}
      {{- $faults = append $faults (printf "database.%s is set but postgres.enabled is true: set postgres.enabled=false to use your database." $key) }}
    {{- end }}
  {{- end }}
  {{- if ne $database.tls.mode "prefer" }}
    {{- $faults = append $faults "database.tls.mode is set but postgres.enabled is true: set postgres.enabled=false to use your database." }}
  {{- end }}
  {{- if $database.pgbouncer.enabled }}
    {{- $faults = append $faults "database.pgbouncer.enabled is true but postgres.enabled is true too: set postgres.enabled=false to use your database." }}
  {{- end }}
{{- else }}
  {{- if not $database.existingSecret }}
    {{- $faults = append $faults "postgres.enabled is false and database.existingSecret is empty: name the Secret with user and password (then give database.host), or whose key database.key is the connection URL of your database." }}
  {{- end }}
  {{- if and (hasPrefix "verify-" $database.tls.mode) (not $database.tls.caSecret) }}
    {{- $faults = append $faults (printf "database.tls.caSecret is empty although database.tls.mode is %s: name the Secret with the certificate of the CA." $database.tls.mode) }}
  {{- end }}
  {{- if and $database.tls.caSecret (not (hasPrefix "verify-" $database.tls.mode)) }}
    {{- $faults = append $faults (printf "database.tls.caSecret is set but database.tls.mode is %s, which verifies nothing: set it to verify-full." $database.tls.mode) }}
  {{- end }}
  {{- if and $database.pgbouncer.enabled (not $database.host) }}
    {{- $faults = append $faults "database.pgbouncer.enabled needs database.host: the migration goes to another host than the one of a URL." }}
  {{- end }}
  {{- if and $database.pgbouncer.enabled (not $database.pgbouncer.directHost) }}
    {{- $faults = append $faults "database.pgbouncer.directHost is empty: name PostgreSQL itself; the lock of a migration does not survive PgBouncer's transaction mode." }}
  {{- end }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.access" -}}
{{- $faults := list }}
{{- if and .Values.apiServer.service.nodePort (ne .Values.apiServer.service.type "NodePort") }}
  {{- $faults = append $faults (printf "apiServer.service.nodePort is set but the type is %s: set apiServer.service.type=NodePort or leave the port out." .Values.apiServer.service.type) }}
{{- end }}
{{- if and .Values.apiServer.service.loadBalancerSourceRanges (ne .Values.apiServer.service.type "LoadBalancer") }}
  {{- $faults = append $faults (printf "apiServer.service.loadBalancerSourceRanges is set but the type is %s, which lets everybody in: set apiServer.service.type=LoadBalancer or leave the ranges out." .Values.apiServer.service.type) }}
{{- end }}
{{- range $key := list "ingress" "httpRoute" }}
  {{- if and (get $.Values $key).enabled (regexMatch "^(\\[.*|[0-9.]+)(:[0-9]+)?$" (urlParse (toString $.Values.apiServer.baseUrl)).host) }}
    {{- $faults = append $faults (printf "%s.enabled is true but the host of apiServer.baseUrl is an address (%s): give a name, Kubernetes routes by names." $key $.Values.apiServer.baseUrl) }}
  {{- end }}
  {{- if and (get $.Values $key).enabled (not $.Values.apiServer.baseUrl) }}
    {{- $faults = append $faults (printf "%s.enabled is true but apiServer.baseUrl is empty: give the URL that people use, for example https://airflow.example.com; host and path come from it." $key) }}
  {{- end }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
  {{- $faults = append $faults "httpRoute.parentRefs is empty: name the Gateway, for example [{name: public, namespace: gateways}]." }}
{{- end }}
{{- $oidc := .Values.auth.oidc }}
{{- if eq .Values.auth.manager "oidc" }}
  {{- range $key, $what := dict "issuer" "give your provider's issuer URL" "existingSecret" "name the Secret with client-id, client-secret and session-key" }}
    {{- if not (get $oidc $key) }}
      {{- $faults = append $faults (printf "auth.oidc.%s is empty although auth.manager is oidc: %s." $key $what) }}
    {{- end }}
  {{- end }}
  {{- if not (or $oidc.roles $oidc.defaultRole) }}
    {{- $faults = append $faults "auth.oidc.roles and auth.oidc.defaultRole are empty, so nobody could do anything: map a group, for example {airflow-admins: Admin}." }}
  {{- end }}
  {{- if not .Values.apiServer.baseUrl }}
    {{- $faults = append $faults "auth.manager is oidc but apiServer.baseUrl is empty: the provider sends people back to it." }}
  {{- end }}
{{- else if $oidc.issuer }}
  {{- $faults = append $faults "auth.oidc.issuer is set but auth.manager is simple: set auth.manager=oidc." }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.logs" -}}
{{- $faults := list }}
{{- $remote := .Values.logs.remote }}
{{- if and (not $remote.url) (ne .Values.logs.volume.accessMode "ReadWriteMany") }}
  {{- range $key, $block := dict "apiServer" .Values.apiServer "scheduler" .Values.scheduler "triggerer" .Values.triggerer }}
    {{- if gt (int $block.replicas) 1 }}
      {{- $faults = append $faults (printf "%s.replicas is %d, but the logs volume can be used on one node only: set logs.remote.url, or logs.volume.accessMode=ReadWriteMany (with a storage class that has it; a claim that is there cannot change: make a new one and name it in logs.volume.existingClaim), or replicas to 1." $key (int $block.replicas)) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and $remote.existingSecret (not $remote.connectionId) }}
  {{- $faults = append $faults "logs.remote.existingSecret is set but logs.remote.connectionId is empty: name the connection that it holds, for example logs." }}
{{- end }}
{{- if and $remote.connectionId (not $remote.url) }}
  {{- $faults = append $faults "logs.remote.connectionId is set but logs.remote.url is empty: give the place, for example s3://bucket/prefix." }}
{{- end }}
{{- /* What Airflow's airflow_local_settings.py has a branch for; with any other its pods crash. */}}
{{- $stores := list "s3://" "cloudwatch://" "gs://" "wasb" "stackdriver://" "oss://" "hdfs://" }}
{{- $isKnown := false }}
{{- range $stores }}
  {{- if hasPrefix . $remote.url }}{{ $isKnown = true }}{{ end }}
{{- end }}
{{- $names := keys (include "cronlift.settings.config" . | fromYaml) }}
{{- range .Values.extra.env }}{{ $names = append $names .name }}{{ end }}
{{- range $names }}
  {{- /* These say themselves where logs go; the URL only switches them on. */}}
  {{- if regexMatch "^AIRFLOW__(ELASTICSEARCH__HOST|OPENSEARCH__HOST|LOGGING__LOGGING_CONFIG_CLASS)(_CMD|_SECRET)?$" . }}{{ $isKnown = true }}{{ end }}
{{- end }}
{{- if and $remote.url (not $isKnown) }}
  {{- $faults = append $faults (printf "logs.remote.url is %s, and Airflow knows no such store: begin it with one of %s." $remote.url (join ", " $stores)) }}
{{- end }}
{{- if and $remote.url .Values.logs.volume.existingClaim }}
  {{- $faults = append $faults "logs.volume.existingClaim is set but logs.remote.url is too: task logs go to one of them; empty the other." }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.metrics" -}}
{{- $faults := list }}
{{- if not .Values.metrics.enabled }}
  {{- range $key := list "serviceMonitor" "prometheusRule" "alertmanagerConfig" "dashboard" }}
    {{- if (get $.Values.metrics $key).enabled }}
      {{- $faults = append $faults (printf "metrics.%s.enabled is true but metrics.enabled is false: set metrics.enabled=true, it is about these metrics." $key) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.serviceMonitor.enabled) (not .Values.git.copy) }}
  {{- $faults = append $faults "metrics.prometheusRule.enabled is true but nothing would tell CronliftGitStale: set metrics.serviceMonitor.enabled=true, which scrapes git-sync, or git.copy=true, with which the DAG processor tells it." }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.notifications" -}}
{{- $faults := list }}
{{- $smtp := .Values.notifications.smtp }}
{{- if .Values.notifications.enabled }}
  {{- $mails := list }}
  {{- $routes := list }}
  {{- range $team, $settings := .Values.teams }}
    {{- with $settings.alerts }}
      {{- $routes = append $routes $team }}
      {{- if .emails }}{{ $mails = append $mails $team }}{{ end }}
    {{- end }}
  {{- end }}
  {{- if not $routes }}
    {{- $faults = append $faults "notifications.enabled is true but no team says where news go: give teams.<name>.alerts.emails or .webhookSecret." }}
  {{- end }}
  {{- if $mails }}
    {{- range $key, $what := dict "host" "name your mail server" "from" "give the sender's address" }}
      {{- if not (get $smtp $key) }}
        {{- $faults = append $faults (printf "notifications.smtp.%s is empty although teams.%s.alerts.emails is set: %s." $key (first $mails) $what) }}
      {{- end }}
    {{- end }}
  {{- end }}
{{- else if $smtp.host }}
  {{- $faults = append $faults "notifications.smtp.host is set but notifications.enabled is false: set notifications.enabled=true." }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.teams" -}}
{{- $faults := list }}
{{- $namespaces := dict }}
{{- $folders := dict }}
{{- range $team, $settings := .Values.teams }}
  {{- if eq $settings.namespace $.Release.Namespace }}
    {{- $faults = append $faults (printf "teams.%s.namespace is the release's own (%s): a team's Jobs need a namespace of their own." $team $settings.namespace) }}
  {{- end }}
  {{- if or (has $settings.namespace (list "default" "kube-system" "kube-public" "kube-node-lease")) (hasPrefix "openshift-" $settings.namespace) }}
    {{- $faults = append $faults (printf "teams.%s.namespace is %s, which belongs to the cluster: whoever may run Jobs there may do as its own parts do; give the team one of its own." $team $settings.namespace) }}
  {{- end }}
  {{- with get $namespaces $settings.namespace }}
    {{- $faults = append $faults (printf "teams.%s.namespace is also that of team %s: give each team its own." $team .) }}
  {{- end }}
  {{- $_ := set $namespaces $settings.namespace $team }}
  {{- if and $settings.repo (not (hasKey $.Values.repositories $settings.repo)) }}
    {{- $faults = append $faults (printf "teams.%s.repo is %s, which is not in repositories: add it there with its url." $team $settings.repo) }}
  {{- end }}
  {{- $folder := printf "%s of %s" $settings.path ($settings.repo | default "git") }}
  {{- with get $folders $folder }}
    {{- $faults = append $faults (printf "teams.%s.path is also that of team %s (%s): give each team its own folder." $team . $folder) }}
  {{- end }}
  {{- $_ := set $folders $folder $team }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{- define "cronlift.validate.config" -}}
{{- $faults := list }}
{{- range $section, $options := .Values.config }}
  {{- range $option, $_ := $options }}
    {{- with include "cronlift.validate.setting" (dict "root" $ "section" $section "option" $option) }}
      {{- $faults = append $faults (printf "config.%s.%s %s" $section $option .) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with get (get .Values.config "core" | default dict) "executor" }}
  {{- if ne . "LocalExecutor" }}
    {{- $faults = append $faults (printf "config.core.executor is %s: the chart runs LocalExecutor, and Jobs need none; leave it out." .) }}
  {{- end }}
{{- end }}
{{- if and (get (get .Values.config "core" | default dict) "auth_manager") (eq .Values.auth.manager "oidc") }}
  {{- $faults = append $faults "config.core.auth_manager is set but auth.manager is oidc, which sets it: leave one out." }}
{{- end }}
{{- $names := list }}
{{- range .Values.extra.env }}
  {{- $name := .name }}
  {{- if has $name $names }}
    {{- $faults = append $faults (printf "extra.env has %s twice: leave one out." $name) }}
  {{- end }}
  {{- $names = append $names $name }}
  {{- if has $name (include "cronlift.env.reserved" $ | fromYamlArray) }}
    {{- $faults = append $faults (printf "extra.env has %s, which the chart sets with these values: leave it out." $name) }}
  {{- else if hasPrefix "CRONLIFT_" $name }}
    {{- $faults = append $faults (printf "extra.env has %s: names that begin with CRONLIFT_ are the chart's own; choose another." $name) }}
  {{- end }}
  {{- $parts := splitList "__" ($name | lower) }}
  {{- if and (eq (len $parts) 3) (eq (first $parts) "airflow") }}
    {{- with include "cronlift.validate.setting" (dict "root" $ "section" (index $parts 1) "option" (last $parts)) }}
      {{- $faults = append $faults (printf "extra.env: %s %s" $name .) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}

{{/*
cronlift.validate.setting: what is wrong with a setting of Airflow, or nothing. Airflow itself passes over a name that
it does not know. Sections that are not Airflow's own belong to providers, and pass.
Scope: dict "root" $ "section" "core" "option" "parallelism".
*/}}
{{- define "cronlift.validate.setting" -}}
{{- $known := .root.Files.Get "files/airflow-settings.json" | fromJson }}
{{- $option := .option | trimSuffix "_cmd" | trimSuffix "_secret" }}
{{- $name := printf "%s.%s" .section $option }}
{{- $options := get $known.options .section | default list }}
{{- if has .option $options }}{{ $name = printf "%s.%s" .section .option }}{{ end }}
{{- $new := get $known.renamed $name }}
{{- with get (.root.Files.Get "files/owned-settings.yaml" | fromYaml) ($new | default $name) }}belongs to the chart: {{ . }}.
{{- else }}
{{- with $new }}is an old name: use {{ . }}.
{{- else }}
{{- if and $options (not (has .option $options)) (not (has $option $options)) }}is no setting of Airflow {{ $known.airflow }}: see https://airflow.apache.org/docs/apache-airflow/{{ $known.airflow }}/configurations-ref.html#{{ .section }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* cronlift.validate.preview: a preview has all of its own, and nothing by which it could be taken for more. */}}
{{- define "cronlift.validate.preview" -}}
{{- $faults := list }}
{{- if .Values.preview.enabled }}
  {{- if not (hasPrefix "preview-" .Release.Namespace) }}
    {{- $faults = append $faults (printf "preview.enabled is true but the namespace is %s, which would be deleted: install previews by make preview, into preview-..." .Release.Namespace) }}
  {{- end }}
  {{- if not .Values.postgres.enabled }}
    {{- $faults = append $faults "preview.enabled is true but postgres.enabled is false: a preview has a database of its own." }}
  {{- end }}
  {{- if not .Values.networkPolicy.enabled }}
    {{- $faults = append $faults "preview.enabled is true but networkPolicy.enabled is false: a branch nobody has reviewed could reach everything." }}
  {{- end }}
  {{- range $key := list "sweep" "dbClean" "notifications" "ingress" "httpRoute" }}
    {{- if (get $.Values $key).enabled }}
      {{- $faults = append $faults (printf "preview.enabled is true but %s.enabled is too: set it to false." $key) }}
    {{- end }}
  {{- end }}
  {{- range $key := list "clusters" "serviceAccounts.annotations" "networkPolicy.extraEgress" "secrets.existingSecret" "logs.remote.url" }}
    {{- $found := $.Values }}
    {{- range splitList "." $key }}{{ $found = get $found . }}{{ end }}
    {{- if $found }}
      {{- $faults = append $faults (printf "preview.enabled is true but %s is set: leave it empty, a preview reaches git alone." $key) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $faults | toYaml }}
{{- end }}
