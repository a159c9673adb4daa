{{/* The pod of both workloads. */}}
{{- define "oci-registry.pod" -}}
{{- $values := .Values -}}
{{- $file := $values.storage.filesystem -}}
{{- $isFile := eq $values.storage.mode "filesystem" -}}
metadata:
  labels:
    {{- merge (include "oci-registry.selectorLabels" . | fromYaml) $values.podLabels (include "oci-registry.labels" . | fromYaml) | toYaml | nindent 4 }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "oci-registry.serviceAccountName" . }}
  automountServiceAccountToken: {{ $values.automountServiceAccountToken }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $grace := add $values.preStopSeconds (include "oci-registry.seconds" $values.config.drainTimeout | int) 10 }}
  terminationGracePeriodSeconds: {{ default $grace $values.terminationGracePeriodSeconds | int }}
  {{- with $values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: oci-registry
      image: {{ include "oci-registry.image" . | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        - {{ $values.storage.mode }}
        {{- range $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "oci-registry.env" . | nindent 8 }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ $values.containerPort }}
          protocol: TCP
          {{- if $values.hostPort.enabled }}
          hostPort: {{ $values.hostPort.port }}
          {{- with $values.hostPort.hostIP }}
          hostIP: {{ . | quote }}
          {{- end }}
          {{- end }}
      {{- range $probe := list "livenessProbe" "readinessProbe" "startupProbe" }}
      {{- with get $values $probe }}
      {{ $probe }}:
        {{- include "oci-registry.probe" (dict "probe" . "root" $) | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- if $values.preStopSeconds }}
      lifecycle:
        preStop:
          {{- /* Kubernetes can sleep by itself since 1.30; before, Node.js does, as the image has no shell. */}}
          {{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
          sleep:
            seconds: {{ $values.preStopSeconds }}
          {{- else }}
          exec:
            command: [node, -e, 'setTimeout(() => {}, {{ mul $values.preStopSeconds 1000 }})']
          {{- end }}
      {{- end }}
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- if $isFile }}
        - name: data
          mountPath: {{ $file.path }}
        {{- end }}
        {{- if include "oci-registry.upstreamsVolume" . }}
        {{- /* The kubelet never updates a subPath, so this is a directory. */}}
        - name: upstreams
          mountPath: /etc/oci-registry/upstreams
          readOnly: true
        {{- end }}
        {{- if $values.upstreams.credentials.existingSecret }}
        - name: credentials
          mountPath: /etc/oci-registry/credentials
          readOnly: true
        {{- end }}
        {{- if $values.upstreams.pullSecrets }}
        - name: pull-secrets
          mountPath: /etc/oci-registry/pull-secrets
          readOnly: true
        {{- end }}
        {{- if or $values.upstreams.ca.existingConfigMap $values.upstreams.ca.existingSecret }}
        - name: ca
          mountPath: /etc/oci-registry/ca
          readOnly: true
        {{- end }}
        {{- if $values.tls.existingSecret }}
        - name: tls
          mountPath: /etc/oci-registry/tls
          readOnly: true
        {{- end }}
        {{- if $values.access.existingSecret }}
        - name: access
          mountPath: /etc/oci-registry/access
          readOnly: true
        {{- end }}
        {{- if $values.webhooks.existingSecret }}
        - name: webhooks
          mountPath: /etc/oci-registry/webhooks
          readOnly: true
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if and $isFile $file.emptyDir.enabled }}
    - name: data
      emptyDir:
        {{- with $file.emptyDir.sizeLimit }}
        sizeLimit: {{ . }}
        {{- else }}
        {}
        {{- end }}
    {{- else if and $isFile (eq (include "oci-registry.kind" .) "Deployment") }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ default (include "oci-registry.fullname" .) $file.existingClaim }}
    {{- end }}
    {{- with include "oci-registry.upstreamsVolume" . }}
    - name: upstreams
      {{- . | nindent 6 }}
    {{- end }}
    {{- with $values.upstreams.credentials }}{{ if .existingSecret }}
    - name: credentials
      secret:
        secretName: {{ .existingSecret }}
        defaultMode: 0440
        items:
          - key: {{ .key }}
            path: {{ .key }}
    {{- end }}{{ end }}
    {{- with $values.upstreams.pullSecrets }}
    - name: pull-secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range . }}
          - secret:
              name: {{ . }}
              items:
                - key: .dockerconfigjson
                  path: {{ . }}/config.json
          {{- end }}
    {{- end }}
    {{- with $values.upstreams.ca.existingConfigMap }}
    - name: ca
      configMap:
        name: {{ . }}
    {{- end }}
    {{- with $values.upstreams.ca.existingSecret }}
    - name: ca
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with $values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with $values.access.existingSecret }}
    - name: access
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with $values.webhooks.existingSecret }}
    - name: webhooks
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $values.affinity }}
  affinity:
    {{- toYaml $values.affinity | nindent 4 }}
  {{- else if gt (include "oci-registry.mostPods" . | int) 1 }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "oci-registry.selectorLabels" . | nindent 16 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" (include "oci-registry.selectorLabels" $ | fromYaml))) | toYaml | nindent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* A probe of http asks the port that is served, in the scheme that is served, unless it says otherwise. */}}
{{- define "oci-registry.probe" -}}
{{- $probe := deepCopy .probe -}}
{{- if $probe.httpGet -}}
{{- $_ := set $probe "httpGet" (merge $probe.httpGet (dict "port" "http" "scheme" (include "oci-registry.scheme" .root | upper))) -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}

{{/* The claim's specification, for a claim of its own and for a template. */}}
{{- define "oci-registry.claim" -}}
{{- $file := .Values.storage.filesystem -}}
accessModes:
  {{- toYaml $file.accessModes | nindent 2 }}
{{- if eq $file.storageClass "-" }}
storageClassName: ''
{{- else if $file.storageClass }}
storageClassName: {{ $file.storageClass }}
{{- end }}
resources:
  requests:
    storage: {{ $file.size }}
{{- with $file.selector }}
selector:
  matchLabels:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}
