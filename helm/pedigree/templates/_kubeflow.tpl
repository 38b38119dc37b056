{{/* The environment and arguments of metadata-grpc-deployment in Kubeflow Pipelines. */}}

{{- define "pedigree.kubeflowEnv" -}}
{{- $source := get .Values.kubeflow .Values.database.type -}}
{{- if eq .Values.database.type "mysql" -}}
{{ include "pedigree.envFromSecret" (list "DBCONFIG_USER" $source.secret "username") }}
{{ include "pedigree.envFromSecret" (list "DBCONFIG_PASSWORD" $source.secret "password") }}
{{ include "pedigree.envFromConfigMap" (list "MYSQL_DATABASE" $source.configMap $source.databaseKey) }}
{{ include "pedigree.envFromConfigMap" (list "MYSQL_HOST" $source.configMap $source.hostKey) }}
{{ include "pedigree.envFromConfigMap" (list "MYSQL_PORT" $source.configMap $source.portKey) }}
{{- else -}}
{{ include "pedigree.envFromSecret" (list "POSTGRES_USER" $source.secret "POSTGRES_USER") }}
{{ include "pedigree.envFromSecret" (list "POSTGRES_PASSWORD" $source.secret "POSTGRES_PASSWORD") }}
{{ include "pedigree.envFromConfigMap" (list "POSTGRES_DBNAME" $source.configMap $source.databaseKey) }}
{{ include "pedigree.envFromConfigMap" (list "POSTGRES_PORT" $source.configMap $source.portKey) }}
{{- end -}}
{{- end -}}

{{- define "pedigree.kubeflowArguments" -}}
- --grpc_port=8080
{{- if eq .Values.database.type "mysql" }}
- --mysql_config_database=$(MYSQL_DATABASE)
- --mysql_config_host=$(MYSQL_HOST)
- --mysql_config_port=$(MYSQL_PORT)
- --mysql_config_user=$(DBCONFIG_USER)
- --mysql_config_password=$(DBCONFIG_PASSWORD)
{{- else }}
- --metadata_source_config_type=postgresql
- --postgres_config_host={{ .Values.kubeflow.postgres.host }}
- --postgres_config_port=$(POSTGRES_PORT)
- --postgres_config_dbname=$(POSTGRES_DBNAME)
- --postgres_config_user=$(POSTGRES_USER)
- --postgres_config_password=$(POSTGRES_PASSWORD)
{{- end }}
- --enable_database_upgrade=true
- --grpc_channel_arguments=grpc.max_metadata_size=16384,grpc.max_receive_message_length=104857600,grpc.max_send_message_length=104857600
{{- end -}}

{{/* Call with (list VARIABLE SECRET KEY). */}}
{{- define "pedigree.envFromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* Call with (list VARIABLE CONFIGMAP KEY). */}}
{{- define "pedigree.envFromConfigMap" -}}
- name: {{ index . 0 }}
  valueFrom:
    configMapKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}
