{{/* Parts of pods: what the restricted Pod Security Standard asks for, probes, volumes. */}}

{{- define "semlink.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "semlink.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Memory that programs take for files they need for a moment. */}}
{{- define "semlink.tmpVolume" -}}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- end -}}

{{/* Liveness asks the process alone: a service whose next one is away is alive. Takes (dict "root" $ "service" NAME
    "grpc" BOOL "port" NUMBER). */}}
{{- define "semlink.probes" -}}
{{- $grpc := and .grpc (not .root.Values.tls.enabled) -}}
startupProbe:
  {{- include "semlink.probe" (dict "grpc" $grpc "port" .port "path" "/readyz" "service" .service) | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 5
  # Models are loaded and warmed up before a service takes frames.
  failureThreshold: 150
readinessProbe:
  {{- include "semlink.probe" (dict "grpc" $grpc "port" .port "path" "/readyz" "service" .service) | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  {{- include "semlink.probe" (dict "grpc" $grpc "port" .port "path" "/healthz" "service" "") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
{{- end -}}

{{/* The kubelet's gRPC probe knows no TLS; with TLS the HTTP port answers. */}}
{{- define "semlink.probe" -}}
{{- if .grpc -}}
grpc:
  port: {{ .port }}
  {{- with .service }}
  service: {{ . }}
  {{- end }}
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
{{- end -}}
{{- end -}}

{{/* Environment every process has. Takes (dict "root" $ "env" LIST). */}}
{{- define "semlink.env" -}}
- name: NODE_OPTIONS
  value: {{ .root.Values.nodeOptions | quote }}
{{- with .root.Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes a store's values: .endpoint .region .credentialsSecret. */}}
{{- define "semlink.s3Env" -}}
{{- with .region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .credentialsSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_SECRET_ACCESS_KEY}}
{{- end }}
{{- end -}}

{{/* GPU of a container: takes (dict "resources" R "gpu" G). */}}
{{- define "semlink.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- if and .gpu (gt (int .gpu.count) 0) -}}
{{- $resources = merge (dict "limits" (dict .gpu.resource (toString .gpu.count))) $resources -}}
{{- end -}}
resources:
  {{- toYaml $resources | nindent 2 }}
{{- end -}}

{{- define "semlink.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
