{{- define "oci-registry.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters, because suffixes are added, and the pods of a StatefulSet are labelled with a revision. */}}
{{- define "oci-registry.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What services, workloads and policies select by; fixed for the life of a release. */}}
{{- define "oci-registry.selectorLabels" -}}
app.kubernetes.io/name: {{ include "oci-registry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "oci-registry.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_"))
  "app.kubernetes.io/name" (include "oci-registry.name" .)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" (.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .Release.Service -}}
{{- toYaml (merge $own .Values.extraLabels) -}}
{{- end -}}

{{- define "oci-registry.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "oci-registry.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "oci-registry.image" -}}
{{- $image := .Values.image -}}
{{- $name := $image.name -}}
{{- with $image.registry }}{{- $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag | toString) -}}
{{- end -}}
{{- end -}}

{{- define "oci-registry.upstreamsName" -}}
{{- printf "%s-upstreams" (include "oci-registry.fullname" .) -}}
{{- end -}}

{{- define "oci-registry.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.existingSecret "") -}}
{{- end -}}

{{/* `[::]` accepts IPv4 too, and IPv4 alone where the node has no IPv6. */}}
{{- define "oci-registry.listenAddress" -}}
{{- $isIpv6 := or .Values.advertise.ipv6 (has "IPv6" .Values.service.ipFamilies) -}}
{{- .Values.listenAddress | default (ternary "[::]" "0.0.0.0" $isIpv6) -}}
{{- end }}

{{- define "oci-registry.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
