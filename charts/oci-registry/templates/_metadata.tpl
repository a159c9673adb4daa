{{/*
The egress rule for a metadata service. GKE redirects its address to port 988 of 169.254.169.252, before policies count,
except with Dataplane V2.
*/}}
{{- define "oci-registry.metadataService" -}}
{{- $services := dict
  "eks-pod-identity" (dict "80" (list "169.254.170.23/32" "fd00:ec2::23/128"))
  "gke" (dict "80" (list "169.254.169.254/32") "988" (list "169.254.169.252/32"))
  "instance" (dict "80" (list "169.254.169.254/32" "fd00:ec2::254/128")) -}}
{{- range $port, $blocks := get $services . }}
- ports:
    - port: {{ $port }}
      protocol: TCP
  to:
    {{- range $blocks }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
{{- end }}
{{- end -}}
