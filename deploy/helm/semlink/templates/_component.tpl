{{/*
Everything of one service: ServiceAccount, configuration, Deployment, Services, autoscaling, disruption budget.

Takes a dict:
  root       $
  component  name of the service, its image and its folder
  values     its values
  grpcPort   0: it serves no gRPC
  rpc        its gRPC service, for readiness
  httpPort   metrics and probes
  pagePort   a page for people; 0: none
  base       its configuration by the chart
  models     whether it loads published models
*/}}
{{- define "semlink.component" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $name := printf "%s-%s" (include "semlink.fullname" $root) .component -}}
{{- $labels := include "semlink.labels" . -}}
{{- $selector := include "semlink.componentSelector" . -}}
{{- $gpu := $values.gpu | default dict -}}
{{- $hasGpu := gt (int ($gpu.count | default 0)) 0 -}}
{{- $tlsSecret := include "semlink.tlsSecret" $root -}}
{{- $base := dict "logLevel" $root.Values.logLevel "metrics" (dict "listen" (printf "0.0.0.0:%d" .httpPort)) -}}
{{- if .grpcPort -}}
{{- $base = merge $base (dict
  "listen" (printf "0.0.0.0:%d" .grpcPort)
  "drainLimitMs" (int $root.Values.drainLimitMs)
  "rpc" (dict "maxConnectionAgeMs" (int $root.Values.maxConnectionAgeMs))) -}}
{{- end -}}
{{- if $tlsSecret -}}
{{- $base = merge $base (dict "tls" (dict "cert" "/etc/semlink/tls/tls.crt" "key" "/etc/semlink/tls/tls.key" "ca" "/etc/semlink/tls/ca.crt")) -}}
{{- if and .grpcPort $root.Values.tls.clientAuth -}}
{{- $base = mergeOverwrite $base (dict "tls" (dict "clientAuth" true)) -}}
{{- end -}}
{{- end -}}
{{- $useModels := and .models (ne $root.Values.models.source "image") -}}
{{- if $useModels -}}
{{- $base = merge $base (dict "models" "/models") -}}
{{- end -}}
{{- $config := mergeOverwrite $base (deepCopy .base) (deepCopy $values.config) -}}
{{- $configJson := toPrettyJson $config -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
  {{- with $values.serviceAccountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
data:
  config.json: |
    {{- $configJson | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  minReadySeconds: 5
  {{- if .recreate }}
  # Its volume can be written by one pod alone.
  strategy:
    type: Recreate
  {{- else }}
  {{- $first := and $hasGpu (not $gpu.spare) }}
  {{- if $first }}
  # No GPU is free for one pod more.
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: {{ ternary 1 0 $first }}
      maxSurge: {{ ternary 0 1 $first }}
  {{- end }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- $labels | nindent 8 }}
      annotations:
        checksum/config: {{ sha256sum $configJson }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ $name }}
      {{- include "semlink.podSecurity" $root | nindent 6 }}
      {{- if and $hasGpu $gpu.runtimeClassName }}
      runtimeClassName: {{ $gpu.runtimeClassName }}
      {{- end }}
      # Sleep, then all of the drain, then the last spans and metrics.
      terminationGracePeriodSeconds: {{ add $root.Values.preStopSleepSeconds (ceil (divf $root.Values.drainLimitMs 1000)) 10 }}
      {{- include "semlink.placement" $values | nindent 6 }}
      topologySpreadConstraints:
        {{- with $values.topologySpreadConstraints }}
        {{- toYaml . | nindent 8 }}
        {{- else }}
        {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
        {{- end }}
      {{- if and $useModels (eq $root.Values.models.source "s3") }}
      initContainers:
        - name: models
          {{- include "semlink.image" (dict "root" $root "image" "tools") | nindent 10 }}
          args:
            - models
            - pull
            - --from={{ required "models.s3.url: name the bucket, s3://bucket/prefix" $root.Values.models.s3.url }}
            - --into=/models
            {{- with $root.Values.models.s3.endpoint }}
            - --s3-endpoint={{ . }}
            {{- end }}
            {{- with $root.Values.models.only }}
            - --only={{ join "," . }}
            {{- end }}
          env:
            {{- include "semlink.env" (dict "root" $root) | nindent 12 }}
            {{- include "semlink.s3Env" $root.Values.models.s3 | nindent 12 }}
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 512Mi}
          {{- include "semlink.containerSecurity" $root | nindent 10 }}
          volumeMounts:
            - {name: models, mountPath: /models}
            - {name: tmp, mountPath: /tmp}
      {{- end }}
      containers:
        - name: {{ .component }}
          {{- include "semlink.image" (dict "root" $root "image" .component "over" $values.image "suffix" (ternary $gpu.imageTagSuffix "" $hasGpu)) | nindent 10 }}
          args: [--config, /etc/semlink/config/config.json]
          env:
            {{- include "semlink.env" (dict "root" $root "env" $values.env) | nindent 12 }}
            {{- with .s3 }}
            {{- include "semlink.s3Env" . | nindent 12 }}
            {{- end }}
          ports:
            {{- if .grpcPort }}
            - {name: grpc, containerPort: {{ .grpcPort }}}
            {{- end }}
            - {name: http, containerPort: {{ .httpPort }}}
            {{- if .pagePort }}
            - {name: page, containerPort: {{ .pagePort }}}
            {{- end }}
          {{- include "semlink.probes" (dict "root" $root "service" .rpc "grpc" (not (not .grpcPort)) "port" .grpcPort) | nindent 10 }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ $root.Values.preStopSleepSeconds }}
          {{- include "semlink.resources" (dict "resources" $values.resources "gpu" $gpu) | nindent 10 }}
          {{- include "semlink.containerSecurity" $root | nindent 10 }}
          volumeMounts:
            - {name: config, mountPath: /etc/semlink/config, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if $tlsSecret }}
            - {name: tls, mountPath: /etc/semlink/tls, readOnly: true}
            {{- end }}
            {{- if $useModels }}
            - {name: models, mountPath: /models, readOnly: true}
            {{- end }}
            {{- if .weights }}
            - {name: model-weights, mountPath: /etc/semlink/models, readOnly: true}
            {{- end }}
            {{- if .knowledgeClaim }}
            - {name: knowledge, mountPath: /knowledge}
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ $name }}
        {{- include "semlink.tmpVolume" $root | nindent 8 }}
        {{- with $tlsSecret }}
        - name: tls
          secret:
            secretName: {{ . }}
        {{- end }}
        {{- if $useModels }}
        - name: models
          {{- if eq $root.Values.models.source "s3" }}
          emptyDir: {}
          {{- else }}
          persistentVolumeClaim:
            claimName: {{ include "semlink.modelsClaim" $root }}
            readOnly: true
          {{- end }}
        {{- end }}
        {{- if .weights }}
        - name: model-weights
          configMap:
            name: {{ include "semlink.fullname" $root }}-model-weights
        {{- end }}
        {{- with .knowledgeClaim }}
        - name: knowledge
          persistentVolumeClaim:
            claimName: {{ . }}
        {{- end }}
---
# Its name resolves to the address of every pod that is ready: clients spread their links over them.
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}-pods
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
    semlink.io/headless: "true"
spec:
  clusterIP: None
  selector:
    {{- $selector | nindent 4 }}
  ports:
    {{- if .grpcPort }}
    - {name: grpc, port: {{ .grpcPort }}, targetPort: grpc, appProtocol: grpc}
    {{- end }}
    - {name: http-metrics, port: {{ .httpPort }}, targetPort: http}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
  {{- with $values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $values.service.type }}
  selector:
    {{- $selector | nindent 4 }}
  ports:
    {{- if .grpcPort }}
    - {name: grpc, port: {{ .grpcPort }}, targetPort: grpc, appProtocol: grpc}
    {{- else }}
    - {name: page, port: 80, targetPort: page, appProtocol: http}
    {{- end }}
{{- with $values.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    {{- if and (eq (int .cpuPercent) 0) (eq (int .queueBytes) 0) }}
    {{- fail "autoscaling: cpuPercent and queueBytes are both 0; say by what pods are to be scaled" }}
    {{- end }}
    {{- if gt (int .cpuPercent) 0 }}
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .cpuPercent }}}
    {{- end }}
    {{- if gt (int .queueBytes) 0 }}
    - type: Pods
      pods:
        metric: {name: semlink_queue_bytes}
        target: {type: AverageValue, averageValue: {{ .queueBytes | int | quote }}}
    {{- end }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
    # A pod that goes moves its links; not for a lull.
    scaleDown:
      stabilizationWindowSeconds: {{ .scaleDownSeconds }}
      policies:
        - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}
{{- end }}
{{- with $values.podDisruptionBudget }}
{{- if .enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  # A pod that is not ready carries no links.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}
