{{/* The base of all names, which is fixed in Kubeflow mode. */}}
{{- define "pedigree.fullname" -}}
{{- if .Values.kubeflow.enabled -}}
metadata-grpc
{{- else if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "pedigree.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pedigree.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "pedigree.deployment" -}}
{{- include "pedigree.fullname" . -}}
{{- if .Values.kubeflow.enabled }}-deployment{{ end -}}
{{- end -}}

{{- define "pedigree.service" -}}
{{- include "pedigree.fullname" . -}}
{{- if .Values.kubeflow.enabled }}-service{{ end -}}
{{- end -}}

{{- define "pedigree.servicePort" -}}
{{- .Values.kubeflow.enabled | ternary 8080 .Values.service.port -}}
{{- end -}}

{{- define "pedigree.serviceAccount" -}}
{{- if not .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- else if .Values.kubeflow.enabled -}}
metadata-grpc-server
{{- else -}}
{{- .Values.serviceAccount.name | default (include "pedigree.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "pedigree.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The labels by which server pods are selected. Kubeflow's policies select by `component`. */}}
{{- define "pedigree.selector" -}}
{{- if .Values.kubeflow.enabled -}}
component: metadata-grpc-server
{{- else -}}
app.kubernetes.io/name: {{ include "pedigree.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}
{{- end -}}

{{/* The labels of an object. Call with (list $ COMPONENT). */}}
{{- define "pedigree.labels" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: {{ include "pedigree.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ $component }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- if and $root.Values.kubeflow.enabled (eq $component "server") }}
component: metadata-grpc-server
{{- end }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whether several servers may run. */}}
{{- define "pedigree.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end -}}
{{- end -}}
