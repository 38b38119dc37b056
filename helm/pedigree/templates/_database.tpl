{{/* The database of servers and of the migration Job: environment, volumes, mounts. */}}

{{- define "pedigree.databaseURL" -}}
{{- $database := .Values.database -}}
{{- if eq $database.type "sqlite" -}}
sqlite:/data/pedigree.db
{{- else -}}
{{- $url := $database.url -}}
{{- if not $url -}}
{{- $port := $database.port | default (include "pedigree.databasePort" .) -}}
{{- $host := include "pedigree.databaseHost" . -}}
{{- $name := include "pedigree.encoded" $database.name -}}
{{- $url = printf "%s://%s:%s/%s" $database.type $host (toString $port) $name -}}
{{- end -}}
{{- $options := splitList "\n" (include "pedigree.databaseOptions" . | trim) | join "&" -}}
{{- printf "%s%s%s" $url (contains "?" $url | ternary "&" "?") $options -}}
{{- end -}}
{{- end -}}

{{/* An IPv6 address stands in brackets, and the directory of a socket has encoded slashes. */}}
{{- define "pedigree.databaseHost" -}}
{{- $host := .Values.database.host -}}
{{- if hasPrefix "[" $host -}}
{{- $host -}}
{{- else if contains ":" $host -}}
[{{ $host }}]
{{- else -}}
{{- include "pedigree.encoded" $host -}}
{{- end -}}
{{- end -}}

{{/* A text with percent-encoding. In a path, a plus is no blank. */}}
{{- define "pedigree.encoded" -}}
{{- . | urlquery | replace "+" "%20" -}}
{{- end -}}

{{- define "pedigree.databasePort" -}}
{{- eq .Values.database.type "postgres" | ternary "5432" "3306" -}}
{{- end -}}

{{/* The TLS options of the URL, one per line. Both databases have the same five modes. */}}
{{- define "pedigree.databaseOptions" -}}
{{- $tls := .Values.database.tls -}}
{{- $names := dict "mode" "sslmode" "ca" "sslrootcert" "cert" "sslcert" "key" "sslkey" -}}
{{- $mode := $tls.mode -}}
{{- if eq .Values.database.type "mysql" -}}
{{- $names = dict "mode" "ssl-mode" "ca" "ssl-ca" "cert" "ssl-cert" "key" "ssl-key" -}}
{{- $mode = get (dict "disable" "DISABLED" "prefer" "PREFERRED" "require" "REQUIRED" "verify-ca" "VERIFY_CA" "verify-full" "VERIFY_IDENTITY") $mode -}}
{{- end -}}
{{ $names.mode }}={{ $mode }}
{{- if $tls.existingSecret }}
{{- with $tls.caKey }}
{{ $names.ca }}=/etc/pedigree/database-tls/{{ . }}
{{- end }}
{{- with $tls.certKey }}
{{ $names.cert }}=/etc/pedigree/database-tls/{{ . }}
{{- end }}
{{- with $tls.keyKey }}
{{ $names.key }}=/etc/pedigree/database-tls/{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The name of the Secret with user and password, or nothing. */}}
{{- define "pedigree.databaseSecret" -}}
{{- if .Values.database.existingSecret -}}
{{- .Values.database.existingSecret -}}
{{- else if .Values.database.password -}}
{{- include "pedigree.fullname" . }}-database
{{- end -}}
{{- end -}}

{{- define "pedigree.databasePasswordKey" -}}
{{- empty .Values.database.existingSecret | ternary "password" .Values.database.passwordKey -}}
{{- end -}}

{{- define "pedigree.databaseEnv" -}}
- name: PEDIGREE_DATABASE_URL
  value: {{ include "pedigree.databaseURL" . | quote }}
{{- if ne .Values.database.type "sqlite" }}
- name: PEDIGREE_DATABASE_USER
  {{- if .Values.database.user }}
  value: {{ .Values.database.user | quote }}
  {{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.userKey }}
  {{- end }}
{{- if include "pedigree.databaseSecret" . }}
- name: PEDIGREE_DATABASE_PASSWORD_FILE
  value: /etc/pedigree/database/password
{{- end }}
{{- end }}
{{- end -}}

{{/* Call with (list $ SECRET). The Job has a copy of the Secret, as hooks run before it exists. */}}
{{- define "pedigree.databaseVolumes" -}}
{{- $root := index . 0 -}}
{{- $secret := index . 1 -}}
{{- if ne $root.Values.database.type "sqlite" -}}
{{- if $secret }}
- name: database
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
    items:
      - key: {{ include "pedigree.databasePasswordKey" $root }}
        path: password
{{- end }}
{{- with $root.Values.database.tls.existingSecret }}
- name: database-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}

{{- define "pedigree.databaseMounts" -}}
{{- if ne .Values.database.type "sqlite" -}}
{{- if include "pedigree.databaseSecret" . }}
- name: database
  mountPath: /etc/pedigree/database
  readOnly: true
{{- end }}
{{- if .Values.database.tls.existingSecret }}
- name: database-tls
  mountPath: /etc/pedigree/database-tls
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}
