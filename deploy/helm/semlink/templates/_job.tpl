{{/* The pod of a job that runs the semlink command. Takes (dict "root" $ "component" NAME "values" V "args" LIST "volumes" LIST
    "mounts" LIST "env" LIST), with metrics also "port", for a pod that needs more than the usual 30 seconds to end "grace",
    for a pod by itself "name" and "annotations". */}}
{{- define "semlink.jobPod" -}}
{{- $root := .root -}}
{{- $gpu := .values.gpu | default dict -}}
{{- $hasGpu := gt (int ($gpu.count | default 0)) 0 -}}
{{- $tlsSecret := include "semlink.tlsSecret" $root -}}
metadata:
  {{- with .name }}
  name: {{ . }}
  namespace: {{ $root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "semlink.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "semlink.fullname" $root }}-jobs
  {{- include "semlink.podSecurity" $root | nindent 2 }}
  {{- if and $hasGpu $gpu.runtimeClassName }}
  runtimeClassName: {{ $gpu.runtimeClassName }}
  {{- end }}
  restartPolicy: Never
  {{- with .grace }}
  # What it did is written down before it ends.
  terminationGracePeriodSeconds: {{ . }}
  {{- end }}
  containers:
    - name: {{ .component }}
      {{- include "semlink.image" (dict "root" $root "image" "tools" "suffix" (ternary $gpu.imageTagSuffix "" $hasGpu)) | nindent 6 }}
      args:
        {{- toYaml .args | nindent 8 }}
      env:
        {{- include "semlink.env" (dict "root" $root "env" .env) | nindent 8 }}
        {{- if $root.Values.data.existingClaim }}
        - name: SEMLINK_CACHE
          value: {{ $root.Values.data.mountPath }}
        {{- end }}
      {{- with .port }}
      ports:
        - {name: http, containerPort: {{ . }}}
      {{- end }}
      {{- include "semlink.resources" (dict "resources" .values.resources "gpu" $gpu) | nindent 6 }}
      {{- include "semlink.containerSecurity" $root | nindent 6 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $root.Values.data.existingClaim }}
        - {name: data, mountPath: {{ $root.Values.data.mountPath }}, readOnly: true}
        {{- end }}
        {{- if $tlsSecret }}
        - {name: tls, mountPath: /etc/semlink/tls, readOnly: true}
        {{- end }}
        {{- with .mounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "semlink.tmpVolume" $root | nindent 4 }}
    {{- with $root.Values.data.existingClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}
    {{- end }}
    {{- with $tlsSecret }}
    - name: tls
      secret: {secretName: {{ . }}}
    {{- end }}
    {{- with .volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "semlink.tlsArgs" -}}
{{- if .Values.tls.enabled }}
- --tls-ca=/etc/semlink/tls/ca.crt
{{- if .Values.tls.clientAuth }}
- --tls-cert=/etc/semlink/tls/tls.crt
- --tls-key=/etc/semlink/tls/tls.key
{{- end }}
{{- end }}
{{- end -}}
