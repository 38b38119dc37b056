{{/* The security file of servers and of the migration Job: environment, volumes, mounts. */}}

{{/* Whether there is a security file. */}}
{{- define "pedigree.hasSecurity" -}}
{{- if or .Values.security.existingSecret .Values.security.config }}true{{ end -}}
{{- end -}}

{{- define "pedigree.securityEnv" -}}
{{- if include "pedigree.hasSecurity" . }}
- name: PEDIGREE_SECURITY
  value: /etc/pedigree/security/security.toml
{{- end }}
{{- end -}}

{{/* Call with (list $ CONFIGMAP). The Job has a copy of the ConfigMap, as hooks run before it exists. */}}
{{- define "pedigree.securityVolumes" -}}
{{- $root := index . 0 -}}
{{- $configMap := index . 1 -}}
{{- with $root.Values.security.existingSecret }}
- name: security
  secret:
    secretName: {{ . }}
    items:
      - key: {{ $root.Values.security.key }}
        path: security.toml
{{- end }}
{{- if $root.Values.security.config }}
- name: security
  configMap:
    name: {{ $configMap }}
{{- end }}
{{- with $root.Values.security.tenants }}
- name: tenants
  projected:
    sources:
      {{- range . }}
      - secret:
          name: {{ .secret }}
          items:
            - key: {{ .key }}
              path: {{ .name }}
      {{- end }}
{{- end }}
{{- end -}}

{{- define "pedigree.securityMounts" -}}
{{- if include "pedigree.hasSecurity" . }}
- name: security
  mountPath: /etc/pedigree/security
  readOnly: true
{{- end }}
{{- if .Values.security.tenants }}
- name: tenants
  mountPath: /etc/pedigree/tenants
  readOnly: true
{{- end }}
{{- end -}}
