{{/*
Every template begins with this: it maps the predecessor's values to ours, then refuses what cannot work.
It changes .Values in place; to do so again changes nothing.
*/}}
{{- define "oci-registry.prepare" -}}
{{- include "oci-registry.predecessor" . -}}
{{- include "oci-registry.validate" . -}}
{{- end -}}

{{- define "oci-registry.predecessor" -}}
{{- $values := .Values -}}
{{- $old := $values.registry | default dict -}}
{{- $help := "; see charts/oci-registry/UPGRADING.md" -}}
{{- with $old.invalidation_time -}}
{{- fail (printf "registry.invalidation_time is gone: write tag_ttl in each entry of upstreams.config, and unused_content_ttl for blobs%s" $help) -}}
{{- end -}}
{{- if hasKey $old "check_cache_digest" -}}
{{- $_ := set $values.config "checkCacheDigest" $old.check_cache_digest -}}
{{- end -}}
{{- with $old.upstream -}}
{{- with .default_namespace }}{{- $_ := set $values.config "defaultNamespace" . }}{{- end -}}
{{- with .config -}}
{{- if eq (.deploy | toString) "false" -}}
{{- if not .name_override -}}
{{- fail (printf "registry.upstream.config.deploy is false without name_override: write upstreams.existingSecret%s" $help) -}}
{{- end -}}
{{- $_ := set $values.upstreams "existingSecret" .name_override -}}
{{- else if .contents -}}
{{- $entries := .contents -}}
{{- if kindIs "string" $entries }}{{- $entries = fromYamlArray $entries }}{{- end -}}
{{- range $entries -}}
{{- if not (kindIs "map" .) -}}
{{- fail (printf "registry.upstream.config.contents is not a YAML list of registries: %v%s" . $help) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $values.upstreams "config" $entries -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $old.storage -}}
{{- with .mode }}{{- $_ := set $values.storage "mode" . }}{{- end -}}
{{- with .filesystem }}{{- with .path }}{{- $_ := set $values.storage.filesystem "path" . }}{{- end }}{{- end -}}
{{- with .s3 -}}
{{- range $key := list "host" "region" "bucket" -}}
{{- with get $old.storage.s3 $key }}{{- $_ := set $values.storage.s3 $key . }}{{- end -}}
{{- end -}}
{{- with .auth_secret -}}
{{- if or .access_key .secret_key -}}
{{- fail (printf "registry.storage.s3.auth_secret.access_key and secret_key are no longer values, since a release keeps them in plain text: make a secret with the keys access_key and secret_key, and write its name into storage.s3.existingSecret%s" $help) -}}
{{- end -}}
{{- with .name_override }}{{- $_ := set $values.storage.s3 "existingSecret" . }}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "(^|/)mcronce$" $values.image.registry -}}
{{- fail (printf "image.registry: %s has the program that this one succeeds, which does not know this chart's settings: write where your build of this one is, and remove image.tag%s" $values.image.registry $help) -}}
{{- end -}}
{{- with $values.image.pullSecret -}}
{{- $_ := set $values.image "pullSecrets" (list .) -}}
{{- end -}}
{{- end -}}

{{- define "oci-registry.validate" -}}
{{- $values := .Values -}}
{{- $file := $values.storage.filesystem -}}
{{- $kind := include "oci-registry.kind" . -}}
{{- $most := include "oci-registry.mostPods" . | int -}}
{{- if eq $values.storage.mode "s3" -}}
{{- if not $values.storage.s3.bucket }}{{- fail "storage.s3.bucket is required when storage.mode is s3" }}{{- end -}}
{{- if eq $kind "StatefulSet" }}{{- fail "workload: StatefulSet is for storage.mode filesystem; with s3 write Deployment or auto" }}{{- end -}}
{{- else -}}
{{- if and $file.existingClaim $file.emptyDir.enabled -}}
{{- fail "storage.filesystem.existingClaim and storage.filesystem.emptyDir.enabled exclude each other" -}}
{{- end -}}
{{- if and (eq $kind "StatefulSet") (or $file.existingClaim $file.emptyDir.enabled) -}}
{{- fail "workload: StatefulSet makes its own claim; with storage.filesystem.existingClaim or emptyDir write Deployment or auto" -}}
{{- end -}}
{{- if and (gt $most 1) (not (include "oci-registry.manyPods" .)) -}}
{{- $key := ternary "autoscaling.enabled" (printf "replicas: %d" $most) $values.autoscaling.enabled -}}
{{- fail (printf "%s cannot share a volume that one node mounts at a time: write replicas: 1, storage.mode: s3, ReadWriteMany into storage.filesystem.accessModes, or storage.filesystem.emptyDir.enabled: true" $key) -}}
{{- end -}}
{{- end -}}
{{- if and $values.upstreams.existingConfigMap $values.upstreams.existingSecret -}}
{{- fail "upstreams.existingConfigMap and upstreams.existingSecret exclude each other" -}}
{{- end -}}
{{- if and $values.upstreams.config (or $values.upstreams.existingConfigMap $values.upstreams.existingSecret) -}}
{{- fail "upstreams.config excludes upstreams.existingConfigMap and upstreams.existingSecret" -}}
{{- end -}}
{{- if and $values.upstreams.ca.existingConfigMap $values.upstreams.ca.existingSecret -}}
{{- fail "upstreams.ca.existingConfigMap and upstreams.ca.existingSecret exclude each other" -}}
{{- end -}}
{{- $least := add $values.preStopSeconds (include "oci-registry.seconds" $values.config.drainTimeout | int) -}}
{{- with $values.terminationGracePeriodSeconds -}}
{{- if le (. | int) ($least | int) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d cuts transfers off: it has to be more than preStopSeconds and config.drainTimeout, together %d" (. | int) $least) -}}
{{- end -}}
{{- end -}}
{{- with $values.resources.limits }}{{- with .memory -}}
{{- if lt (include "oci-registry.mebibytes" . | int) 128 -}}
{{- fail (printf "resources.limits.memory: %v is too little for Node.js, which needs 128Mi or more; 256Mi is the default" .) -}}
{{- end -}}
{{- end }}{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) }}{{- fail "ingress.hosts is empty" }}{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}{{- fail "httpRoute.parentRefs names no gateway" }}{{- end -}}
{{- if and (ne $values.podDisruptionBudget.maxUnavailable nil) (ne $values.podDisruptionBudget.minAvailable nil) -}}
{{- fail "podDisruptionBudget.maxUnavailable and minAvailable exclude each other: set one of them to null" -}}
{{- end -}}
{{- end -}}

{{- define "oci-registry.kind" -}}
{{- $file := .Values.storage.filesystem -}}
{{- if ne .Values.workload "auto" -}}
{{- .Values.workload -}}
{{- else if or (eq .Values.storage.mode "s3") $file.existingClaim $file.emptyDir.enabled (has "ReadWriteMany" $file.accessModes) -}}
Deployment
{{- else -}}
StatefulSet
{{- end -}}
{{- end -}}

{{- define "oci-registry.mostPods" -}}
{{- ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{/* Not empty when more than one pod can run at a time, also while one replaces another. */}}
{{- define "oci-registry.manyPods" -}}
{{- $file := .Values.storage.filesystem -}}
{{- if or (eq .Values.storage.mode "s3") $file.emptyDir.enabled (has "ReadWriteMany" $file.accessModes) }}yes{{ end -}}
{{- end -}}

{{/* Not empty when the pods see the same content. */}}
{{- define "oci-registry.sharedStorage" -}}
{{- if and (include "oci-registry.manyPods" .) (or (eq .Values.storage.mode "s3") (not .Values.storage.filesystem.emptyDir.enabled)) }}yes{{ end -}}
{{- end -}}
