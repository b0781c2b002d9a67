{{/* What the operator is told; what is empty is not set. */}}
{{- define "edworkers.operatorEnv" -}}
{{- $external := .Values.redis.bundled.enabled | ternary dict .Values.redis.external -}}
{{- $pullSecrets := list -}}
{{- range .Values.image.pullSecrets }}{{ $pullSecrets = append $pullSecrets .name }}{{ end -}}
{{- $env := dict
  "EDWORKERS_WATCH_NAMESPACES" (join "," .Values.operator.watchNamespaces)
  "EDWORKERS_LEASE" (include "edworkers.operatorName" .)
  "EDWORKERS_KEEPER_CONFIG" (.Values.keeper.enabled | ternary (include "edworkers.poolsName" .) "")
  "EDWORKERS_RUNNER_IMAGE" (include "edworkers.runnerImage" .)
  "EDWORKERS_IMAGE_PULL_POLICY" .Values.image.pullPolicy
  "EDWORKERS_IMAGE_PULL_SECRETS" (join "," $pullSecrets)
  "EDWORKERS_NETWORK_POLICY" (toString .Values.networkPolicy.enabled)
  "EDWORKERS_REDIS_MODE" (include "edworkers.redis.mode" .)
  "EDWORKERS_REDIS_ADDRESSES" (include "edworkers.redis.addresses" .)
  "EDWORKERS_REDIS_MASTER" ($external.master | default "")
  "EDWORKERS_REDIS_DATABASE" ($external.database | default 0 | int | toString)
  "EDWORKERS_REDIS_USERNAME" ($external.username | default "")
  "EDWORKERS_REDIS_TLS" ($external.tls | default false | toString)
  "EDWORKERS_REDIS_SECRET" (include "edworkers.redis.secret" .)
  "EDWORKERS_REDIS_PASSWORD_KEY" (include "edworkers.redis.key" .)
  "EDWORKERS_HEALTH_HOST" "0.0.0.0"
  "EDWORKERS_HEALTH_PORT" "8080"
  "EDWORKERS_LOG_FORMAT" "json"
  "EDWORKERS_LOG_LEVEL" .Values.operator.logLevel
-}}
{{- range $name, $value := $env }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}
