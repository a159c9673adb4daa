{{/* The program's settings as environment variables: docs/configuration.md has their meaning. */}}
{{- define "oci-registry.env" -}}
{{- $values := .Values -}}
{{- $config := $values.config -}}
{{- $env := list -}}
{{- $settings := list
  (list "LISTEN" (printf "%s:%d" (include "oci-registry.listenAddress" .) (int $values.containerPort)))
  (list "DEFAULT_NAMESPACE" $config.defaultNamespace)
  (list "UNKNOWN_NAMESPACES" $config.unknownNamespaces)
  (list "CATALOG" $config.catalog)
  (list "ALLOW_NAMESPACES" (join "," $config.allowNamespaces))
  (list "DENY_NAMESPACES" (join "," $config.denyNamespaces))
  (list "HOSTED_NAMESPACES" (join "," $config.hostedNamespaces))
  (list "ALLOW_ANONYMOUS_PUSH" $config.allowAnonymousPush)
  (list "CHECK_CACHE_DIGEST" $config.checkCacheDigest)
  (list "MAX_BLOB_SIZE" $config.maxBlobSize)
  (list "SWEEP_INTERVAL" $config.sweepInterval)
  (list "ORPHAN_AGE" $config.orphanAge)
  (list "SCRUB_INTERVAL" $config.scrubInterval)
  (list "SCRUB_RATE" $config.scrubRate)
  (list "STATUS_PAGE" $config.statusPage)
  (list "MAX_DOWNLOADS" (int $config.maxDownloads))
  (list "MIN_DOWNLOAD_RATE" $config.minDownloadRate)
  (list "MAX_UPLOADS" (int $config.maxUploads))
  (list "DISTANT_RANGES" $config.distantRanges)
  (list "MEMORY_CACHE" $config.memoryCache)
  (list "BODY_MEMORY" $config.bodyMemory)
  (list "MAX_CONNECTIONS" (int $config.maxConnections))
  (list "MAX_CONNECTIONS_PER_ADDRESS" (default "" (int $config.maxConnectionsPerAddress)))
  (list "MAX_HEADER_SIZE" $config.maxHeaderSize)
  (list "CLIENT_TIMEOUT" $config.clientTimeout)
  (list "DRAIN_TIMEOUT" $config.drainTimeout)
  (list "LOG_LEVEL" $config.logLevel)
  (list "LOG_FORMAT" $config.logFormat)
  (list "ADMIN_LISTEN" $values.admin.listen)
  (list "PEER_NETWORKS" (join "," $values.advertise.peerNetworks))
  (list "MAX_SIZE" (include "oci-registry.maxSize" .)) -}}
{{- if include "oci-registry.upstreamsVolume" . }}{{- $settings = append $settings (list "UPSTREAM_CONFIG_FILE" "/etc/oci-registry/upstreams/upstream.yaml") }}{{- end -}}
{{- if $values.upstreams.credentials.existingSecret }}{{- $settings = append $settings (list "UPSTREAM_CREDENTIALS_FILE" (printf "/etc/oci-registry/credentials/%s" $values.upstreams.credentials.key)) }}{{- end -}}
{{- if $values.access.existingSecret }}{{- $settings = append $settings (list "ACCESS_FILE" "/etc/oci-registry/access/access.yaml") }}{{- end -}}
{{- if $values.webhooks.existingSecret }}{{- $settings = append $settings (list "WEBHOOKS_FILE" "/etc/oci-registry/webhooks/webhooks.yaml") }}{{- end -}}
{{- if $values.tls.existingSecret -}}
{{- $settings = concat $settings (list (list "TLS_CERT" "/etc/oci-registry/tls/tls.crt") (list "TLS_KEY" "/etc/oci-registry/tls/tls.key")) -}}
{{- end -}}
{{- if eq $values.storage.mode "s3" -}}
{{- $s3 := $values.storage.s3 -}}
{{- /* Downloads wait for their upload in the pod's volume for temporary files, on the node's disk. */}}
{{- $env = append $env (dict "name" "TMPDIR" "value" "/tmp") -}}
{{- $settings = concat $settings (list
  (list "S3_BUCKET" $s3.bucket)
  (list "S3_HOST" $s3.host)
  (list "S3_REGION" $s3.region)
  (list "S3_PREFIX" $s3.prefix)
  (list "S3_PATH_STYLE" $s3.pathStyle)
  (list "S3_REDIRECT" $s3.redirect)) -}}
{{- else -}}
{{- $settings = concat $settings (list
  (list "FILESYSTEM_ROOT" $values.storage.filesystem.path)
  (list "FILESYSTEM_UMASK" $values.storage.filesystem.umask)) -}}
{{- end -}}
{{- /* Where docker_config finds its file when it names none. */}}
{{- with $values.upstreams.pullSecrets }}{{- $env = append $env (dict "name" "DOCKER_CONFIG" "value" (printf "/etc/oci-registry/pull-secrets/%s" (first .))) }}{{- end -}}
{{- range $setting := $settings -}}
{{- $text := index $setting 1 | toString -}}
{{- if $text }}{{- $env = append $env (dict "name" (index $setting 0) "value" $text) }}{{- end -}}
{{- end -}}
{{- $secrets := list
  (list "ADMIN_TOKEN" $values.admin.existingSecret $values.admin.key)
  (list "CLUSTER_KEY" $values.advertise.clusterKey.existingSecret $values.advertise.clusterKey.key) -}}
{{- if eq $values.storage.mode "s3" -}}
{{- $secrets = concat $secrets (list
  (list "S3_ACCESS_KEY" $values.storage.s3.existingSecret $values.storage.s3.accessKeyKey)
  (list "S3_SECRET_KEY" $values.storage.s3.existingSecret $values.storage.s3.secretKeyKey)) -}}
{{- end -}}
{{- range $secret := $secrets -}}
{{- if index $secret 1 -}}
{{- $ref := dict "name" (index $secret 1) "key" (index $secret 2) -}}
{{- $env = append $env (dict "name" (index $secret 0) "valueFrom" (dict "secretKeyRef" $ref)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.advertise.enabled (include "oci-registry.sharedStorage" .) -}}
{{- $host := ternary "[$(POD_IP)]" "$(POD_IP)" $values.advertise.ipv6 -}}
{{- $url := printf "%s://%s:%d" (include "oci-registry.scheme" .) $host (int $values.containerPort) -}}
{{- $ip := dict "name" "POD_IP" "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "status.podIP")) -}}
{{- $env = concat $env (list $ip (dict "name" "ADVERTISE_URL" "value" $url)) -}}
{{- end -}}
{{- with include "oci-registry.nodeOptions" . }}{{- $env = append $env (dict "name" "NODE_OPTIONS" "value" .) }}{{- end -}}
{{- /* The last of two entries of one name counts, so that extraEnv can change every setting. */ -}}
{{- if kindIs "map" $values.extraEnv -}}
{{- range $name, $value := $values.extraEnv -}}
{{- $text := ternary ($value | int64 | toString) ($value | toString) (kindIs "float64" $value) -}}
{{- $env = append $env (dict "name" $name "value" $text) -}}
{{- end -}}
{{- else -}}
{{- $env = concat $env $values.extraEnv -}}
{{- end -}}
{{- $named := dict -}}
{{- range $env }}{{- $_ := set $named .name . }}{{- end -}}
{{- $once := list -}}
{{- range $env -}}
{{- if hasKey $named .name -}}
{{- $once = append $once (get $named .name) -}}
{{- $_ := unset $named .name -}}
{{- end -}}
{{- end -}}
{{- toYaml $once -}}
{{- end -}}

{{/* Half of the memory limit for the heap: the rest is the program's code, its buffers and the stacks. */}}
{{- define "oci-registry.nodeOptions" -}}
{{- with .Values.resources.limits }}{{- with .memory -}}
{{- printf "--max-old-space-size=%d" (div (include "oci-registry.mebibytes" . | int64) 2) -}}
{{- end }}{{- end -}}
{{- end -}}

{{/* A share of a volume is a share of its size here, since the program may see the disk that it is a part of. */}}
{{- define "oci-registry.maxSize" -}}
{{- $file := .Values.storage.filesystem -}}
{{- if eq .Values.storage.mode "s3" -}}
{{- .Values.storage.s3.maxSize -}}
{{- else -}}
{{- $size := ternary $file.emptyDir.sizeLimit (ternary "" $file.size (ne $file.existingClaim "")) $file.emptyDir.enabled -}}
{{- if and $size (hasSuffix "%" $file.maxSize) -}}
{{- $share := trimSuffix "%" $file.maxSize | float64 -}}
{{- printf "%dMiB" (divf (mulf (include "oci-registry.mebibytes" $size | float64) $share) 100.0 | floor | int64) -}}
{{- else -}}
{{- $file.maxSize -}}
{{- end -}}
{{- end -}}
{{- end -}}
