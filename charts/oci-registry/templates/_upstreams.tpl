{{/* `Secret` when an entry of upstreams.config, or of its fallback_hosts, has a secret, else `ConfigMap`. */}}
{{- define "oci-registry.upstreamsKind" -}}
{{- $secret := false -}}
{{- range .Values.upstreams.config -}}
{{- range prepend (.fallback_hosts | default list) . -}}
{{- if .password }}{{- $secret = true }}{{- end -}}
{{- if regexMatch `"(password|client_secret)":"[^"]` (.credentials | toJson) }}{{- $secret = true }}{{- end -}}
{{- end -}}
{{- end -}}
{{- ternary "Secret" "ConfigMap" $secret -}}
{{- end -}}

{{/* The volume with upstream.yaml; nothing when there is none. */}}
{{- define "oci-registry.upstreamsVolume" -}}
{{- $upstreams := .Values.upstreams -}}
{{- $own := and $upstreams.config (include "oci-registry.upstreamsName" .) -}}
{{- $secret := or $upstreams.existingSecret (and $own (eq (include "oci-registry.upstreamsKind" .) "Secret") $own) -}}
{{- $map := or $upstreams.existingConfigMap (and (not $secret) $own) -}}
{{- if $secret -}}
secret:
  secretName: {{ $secret }}
  defaultMode: 0440
{{- else if $map -}}
configMap:
  name: {{ $map }}
{{- end -}}
{{- end -}}
