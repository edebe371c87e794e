{{/* Names, labels, images. */}}

{{- define "semlink.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* First part of every resource's name; at most 40 characters, for names of services come behind it. */}}
{{- define "semlink.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "semlink.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "semlink.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "semlink.selector" -}}
app.kubernetes.io/name: {{ include "semlink.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Takes (dict "root" $ "component" "receiver-decoder"). */}}
{{- define "semlink.labels" -}}
{{- include "semlink.selector" .root }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "semlink.componentSelector" -}}
{{ include "semlink.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes (dict "root" $ "image" "receiver-decoder" "over" .Values.receiverDecoder.image "suffix" ""). */}}
{{- define "semlink.image" -}}
{{- $default := .root.Values.image -}}
{{- $over := .over | default dict -}}
{{- $repository := $over.repository | default (printf "%s%s/%s" (ternary "" (printf "%s/" $default.registry) (empty $default.registry)) $default.repository .image) -}}
{{- $tag := $over.tag | default $default.tag | default .root.Chart.AppVersion -}}
image: {{ printf "%s:%s%s" $repository $tag (.suffix | default "") | quote }}
imagePullPolicy: {{ $over.pullPolicy | default $default.pullPolicy }}
{{- end -}}

{{/* DNS name with the address of every pod of a component that is ready. Takes (dict "root" $ "component" NAME). */}}
{{- define "semlink.headless" -}}
{{ include "semlink.fullname" .root }}-{{ .component }}-pods.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end -}}

{{/* Name of the Secret that holds the certificate; empty without TLS. */}}
{{- define "semlink.tlsSecret" -}}
{{- with .Values.tls -}}
{{- if .enabled -}}
{{- if .certManager.enabled -}}
{{ include "semlink.fullname" $ }}-tls
{{- else -}}
{{ required "tls.existingSecret: name the Secret with tls.crt, tls.key and ca.crt, or set tls.certManager.enabled" .existingSecret }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "semlink.modelsClaim" -}}
{{- .Values.models.pvc.existingClaim | default (printf "%s-models" (include "semlink.fullname" .)) -}}
{{- end -}}

{{- define "semlink.knowledgeClaim" -}}
{{- .Values.knowledge.pvc.existingClaim | default (printf "%s-knowledge" (include "semlink.fullname" .)) -}}
{{- end -}}
