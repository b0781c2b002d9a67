{{/* Where Redis is, and how it is spoken to. */}}

{{- define "edworkers.redis.addresses" -}}
{{- if .Values.redis.bundled.enabled -}}
{{ include "edworkers.redisName" . }}.{{ .Release.Namespace }}.svc:6379
{{- else -}}
{{ join "," .Values.redis.external.addresses }}
{{- end -}}
{{- end -}}

{{- define "edworkers.redis.mode" -}}
{{ .Values.redis.bundled.enabled | ternary "standalone" .Values.redis.external.mode }}
{{- end -}}

{{- define "edworkers.redis.host" -}}
{{ regexReplaceAll ":[0-9]+$" (include "edworkers.redis.addresses" . | splitList "," | first) "" | trimAll "[]" }}
{{- end -}}

{{- define "edworkers.redis.port" -}}
{{ include "edworkers.redis.addresses" . | splitList "," | first | splitList ":" | last }}
{{- end -}}

{{/* Whether a Secret is made here; empty for no. */}}
{{- define "edworkers.redis.ownSecret" -}}
{{- if and (not .Values.redis.existingSecret) (or .Values.redis.bundled.enabled .Values.redis.password) }}yes{{ end -}}
{{- end -}}

{{/* The Secret with the password; empty where Redis asks for none. */}}
{{- define "edworkers.redis.secret" -}}
{{- if .Values.redis.existingSecret -}}
{{ .Values.redis.existingSecret }}
{{- else if include "edworkers.redis.ownSecret" . -}}
{{ include "edworkers.redisName" . }}
{{- end -}}
{{- end -}}

{{- define "edworkers.redis.key" -}}
{{ if .Values.redis.existingSecret }}{{ .Values.redis.existingSecretKey }}{{ else }}password{{ end }}
{{- end -}}

{{/* Of [root, Secret's name, key, value given, value to make]: the value in the cluster is kept unless one is given. */}}
{{- define "edworkers.keptValue" -}}
{{- $root := index . 0 -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- if index . 3 -}}
{{ index . 3 }}
{{- else if and $found (hasKey ($found.data | default dict) (index . 2)) -}}
{{ index $found.data (index . 2) | b64dec }}
{{- else -}}
{{ index . 4 }}
{{- end -}}
{{- end -}}

{{/* The password, made at most once in a rendering. */}}
{{- define "edworkers.redis.password" -}}
{{- if not (hasKey .Values.redis "made") -}}
{{- $name := include "edworkers.redisName" . -}}
{{- $kept := include "edworkers.keptValue" (list . $name "password" .Values.redis.password (randAlphaNum 32)) -}}
{{- $_ := set .Values.redis "made" $kept -}}
{{- end -}}
{{ .Values.redis.made }}
{{- end -}}

{{/* Restarts pods when the password in the Secret made here changes. */}}
{{- define "edworkers.redis.checksum" -}}
{{- if include "edworkers.redis.ownSecret" . -}}
checksum/redis-password: {{ include "edworkers.redis.password" . | sha256sum | trunc 32 }}
{{- end -}}
{{- end -}}

{{- define "edworkers.redis.passwordEnv" -}}
{{- if include "edworkers.redis.secret" . -}}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "edworkers.redis.secret" . }}
      key: {{ include "edworkers.redis.key" . }}
{{- end -}}
{{- end -}}

{{/* The variables by which runner, keeper and commands find Redis. */}}
{{- define "edworkers.redis.env" -}}
{{- $external := .Values.redis.bundled.enabled | ternary dict .Values.redis.external -}}
{{- $mode := include "edworkers.redis.mode" . -}}
{{- $addresses := include "edworkers.redis.addresses" . -}}
{{- if eq $mode "sentinel" -}}
- {name: REDIS_SENTINELS, value: {{ $addresses | quote }}}
- {name: REDIS_MASTER, value: {{ $external.master | quote }}}
{{- else if eq $mode "cluster" -}}
- {name: REDIS_NODES, value: {{ $addresses | quote }}}
{{- else -}}
- {name: REDIS_HOST, value: {{ include "edworkers.redis.host" . | quote }}}
- {name: REDIS_PORT, value: {{ include "edworkers.redis.port" . | quote }}}
{{- end }}
{{- if $external.database }}
- {name: REDIS_DATABASE, value: {{ $external.database | int | toString | quote }}}
{{- end }}
{{- if $external.tls }}
- {name: REDIS_TLS, value: "true"}
{{- end }}
{{- if $external.username }}
- {name: REDIS_USERNAME, value: {{ $external.username | quote }}}
{{- end }}
{{- with include "edworkers.redis.passwordEnv" . }}
{{ . }}
{{- end }}
{{- end -}}
