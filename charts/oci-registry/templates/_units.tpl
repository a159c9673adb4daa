{{/* Seconds, rounded up, of a duration as the program writes them: `30s`, `1h 30m`. */}}
{{- define "oci-registry.seconds" -}}
{{- $factors := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+\\s*(?:ms|s|m|h|d|w)" . -1 -}}
{{- $total = add $total (mul (regexFind "[0-9]+" . | int64) (get $factors (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- div (add $total 999) 1000 -}}
{{- end -}}

{{/* Mebibytes, rounded down, of a quantity as Kubernetes writes them: `256Mi`, `1.5Gi`, `500M`, `268435456`. */}}
{{- define "oci-registry.mebibytes" -}}
{{- $text := . | toString -}}
{{- /* Numbers of the values arrive as floating point, where large ones are written with an exponent. */ -}}
{{- if kindIs "float64" . }}{{- $text = . | int64 | toString }}{{- end -}}
{{- if not (regexMatch "^[0-9]+(?:[.][0-9]+)?(?:[kMGT]|[KMGT]i)?$" $text) -}}
{{- fail (printf "resources.limits.memory and sizes: %q is not a quantity such as 256Mi, 1Gi or 500M" $text) -}}
{{- end -}}
{{- $factors := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $bytes := mulf (regexFind "^[0-9.]+" $text | float64) (get $factors (regexFind "[kKMGTi]+$" $text)) -}}
{{- divf $bytes 1048576.0 | floor | int64 -}}
{{- end -}}
