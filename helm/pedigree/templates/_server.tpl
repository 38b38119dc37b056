{{/* The server's container in every mode: environment, volumes, mounts, probes. */}}

{{- define "pedigree.serverEnv" -}}
{{- $server := .Values.server -}}
{{- if .Values.kubeflow.enabled -}}
{{ include "pedigree.kubeflowEnv" . }}
{{- else -}}
- name: PEDIGREE_GRPC_HOST
  value: 0.0.0.0
- name: PEDIGREE_GRPC_PORT
  value: "8080"
{{ include "pedigree.databaseEnv" . }}
{{- if eq .Values.database.type "sqlite" }}
- name: PEDIGREE_UPGRADE_SCHEMA
  value: "true"
{{- end }}
- name: PEDIGREE_MAX_REQUEST_BYTES
  value: {{ include "pedigree.quantity" $server.maxRequestBytes | quote }}
{{- end }}
{{- if .Values.artifacts.store }}
- name: PEDIGREE_ARTIFACT_STORE
  value: {{ .Values.artifacts.store | quote }}
{{- else if .Values.artifacts.existingClaim }}
- name: PEDIGREE_ARTIFACT_STORE
  value: /artifacts
{{- else if eq .Values.database.type "sqlite" }}
- name: PEDIGREE_ARTIFACT_STORE
  value: /data/artifacts
{{- end }}
- name: PEDIGREE_MAX_ARTIFACT_BYTES
  value: {{ include "pedigree.quantity" .Values.artifacts.maxBytes | quote }}
- name: PEDIGREE_ADMIN_HOST
  value: 0.0.0.0
- name: PEDIGREE_ADMIN_PORT
  value: "8081"
- name: PEDIGREE_DATABASE_CONNECTIONS
  value: {{ .Values.database.connections | int | quote }}
- name: PEDIGREE_SHUTDOWN_GRACE
  value: {{ $server.shutdownGrace | int | quote }}
- name: PEDIGREE_CHANGE_RETENTION
  value: {{ include "pedigree.renamed" (list $server "changeRetention" "history") | quote }}
{{- with $server.auditRetention }}
- name: PEDIGREE_AUDIT_RETENTION
  value: {{ . | quote }}
{{- end }}
- name: PEDIGREE_DEDUP_WINDOW
  value: {{ include "pedigree.renamed" (list $server "dedupWindow" "recordMemory") | quote }}
- name: PEDIGREE_RECORD_BATCH
  value: {{ $server.recordBatch | int | quote }}
- name: PEDIGREE_RECORD_BATCH_LINGER
  value: {{ include "pedigree.renamed" (list $server "recordBatchLinger" "recordBatchAge") | quote }}
- name: PEDIGREE_SLOW_READER_TIMEOUT
  value: {{ include "pedigree.renamed" (list $server "slowReaderTimeout" "streamPatience") | quote }}
- name: PEDIGREE_LOG_FORMAT
  value: {{ $server.logFormat }}
- name: PEDIGREE_LOG_LEVEL
  value: {{ $server.logLevel | quote }}
- name: PEDIGREE_UI
  value: {{ ternary "on" "off" $server.ui | quote }}
- name: PEDIGREE_UI_DEADLINE
  value: {{ $server.uiDeadline | quote }}
{{- with $server.webPrefix }}
- name: PEDIGREE_WEB_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- with $server.webOrigins }}
- name: PEDIGREE_WEB_ORIGINS
  value: {{ join "," . | quote }}
{{- end }}
{{- with $server.otlpEndpoint }}
- name: PEDIGREE_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- if .Values.tls.enabled }}
- name: PEDIGREE_TLS_CERT
  value: /etc/pedigree/tls/tls.crt
- name: PEDIGREE_TLS_KEY
  value: /etc/pedigree/tls/tls.key
{{- if .Values.tls.clientCASecret }}
- name: PEDIGREE_TLS_CLIENT_CA
  value: /etc/pedigree/client-ca/ca.crt
{{- if .Values.tls.clientCRLKey }}
- name: PEDIGREE_TLS_CLIENT_CRL
  value: /etc/pedigree/client-ca/crl.pem
{{- end }}
{{- end }}
{{- end }}
{{- include "pedigree.securityEnv" . }}
{{- if .Values.lineage.existingSecret }}
- name: PEDIGREE_OPENLINEAGE_TARGETS
  value: /etc/pedigree/lineage/targets.toml
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A duration or a size: a string with a unit, or a number, which must not become 6.048e+05. */}}
{{- define "pedigree.quantity" -}}
{{- if or (kindIs "string" .) (ne (float64 .) (floor .)) -}}
{{ . }}
{{- else -}}
{{ int64 . }}
{{- end -}}
{{- end -}}

{{/* Whether a value is set. Call with (list VALUES KEY). */}}
{{- define "pedigree.isSet" -}}
{{- if and (hasKey (index . 0) (index . 1)) (not (kindIs "invalid" (get (index . 0) (index . 1)))) }}true{{ end -}}
{{- end -}}

{{/* A quantity that an old key may still set. Call with (list VALUES KEY OLD-KEY). */}}
{{- define "pedigree.renamed" -}}
{{- $old := list (index . 0) (index . 2) -}}
{{- $key := empty (include "pedigree.isSet" $old) | ternary (index . 1) (index . 2) -}}
{{- include "pedigree.quantity" (get (index . 0) $key) -}}
{{- end -}}

{{- define "pedigree.serverVolumes" -}}
- name: tmp
  emptyDir: {}
{{- if eq .Values.database.type "sqlite" }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.database.sqlite.existingClaim | default (include "pedigree.fullname" .) }}
{{- else if not .Values.kubeflow.enabled }}
{{- include "pedigree.databaseVolumes" (list . (include "pedigree.databaseSecret" .)) }}
{{- end }}
{{- with .Values.artifacts.existingClaim }}
- name: artifacts
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "pedigree.tlsSecret" . }}
    defaultMode: 0440
{{- with .Values.tls.clientCASecret }}
- name: client-ca
  secret:
    secretName: {{ . }}
    items:
      - key: {{ $.Values.tls.clientCAKey }}
        path: ca.crt
      {{- with $.Values.tls.clientCRLKey }}
      - key: {{ . }}
        path: crl.pem
      {{- end }}
{{- end }}
{{- end }}
{{- include "pedigree.securityVolumes" (list . (printf "%s-security" (include "pedigree.fullname" .))) }}
{{- with .Values.security.serviceAccounts }}
{{- if .enabled }}
- name: cluster
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: {{ int .expirationSeconds }}
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
{{- end }}
{{- end }}
{{- with .Values.lineage.existingSecret }}
- name: lineage
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pedigree.serverMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if eq .Values.database.type "sqlite" }}
- name: data
  mountPath: /data
{{- else if not .Values.kubeflow.enabled }}
{{- include "pedigree.databaseMounts" . }}
{{- end }}
{{- if .Values.artifacts.existingClaim }}
- name: artifacts
  mountPath: /artifacts
{{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  mountPath: /etc/pedigree/tls
  readOnly: true
{{- if .Values.tls.clientCASecret }}
- name: client-ca
  mountPath: /etc/pedigree/client-ca
  readOnly: true
{{- end }}
{{- end }}
{{- include "pedigree.securityMounts" . }}
{{- if .Values.security.serviceAccounts.enabled }}
- name: cluster
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- if .Values.lineage.existingSecret }}
- name: lineage
  mountPath: /etc/pedigree/lineage
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pedigree.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "pedigree.fullname" .)) -}}
{{- end -}}

{{/* The readiness probe. With TLS it is HTTP on the admin port: gRPC probes do not support TLS. */}}
{{- define "pedigree.readiness" -}}
{{- if .Values.tls.enabled -}}
httpGet:
  path: /readyz
  port: admin
{{- else -}}
grpc:
  port: 8080
{{- end }}
{{- end -}}

{{- define "pedigree.topologySpread" -}}
{{- if .Values.topologySpreadConstraints -}}
{{ toYaml .Values.topologySpreadConstraints }}
{{- else -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "pedigree.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}
