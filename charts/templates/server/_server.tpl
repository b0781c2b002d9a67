{{/* The HTTP API and the dashboard. */}}

{{- define "edworkers.serverName" -}}{{ include "edworkers.fullname" . }}-server{{- end -}}

{{/* The Secret with the file of keys and what signs cookies; one that is made here has the first key, too. */}}
{{- define "edworkers.server.secret" -}}
{{ .Values.server.existingKeysSecret | default (include "edworkers.serverName" .) }}
{{- end -}}

{{/* The first key, made at most once in a rendering. */}}
{{- define "edworkers.server.firstKey" -}}
{{- if not (hasKey .Values.server "made") -}}
{{- $kept := include "edworkers.keptValue" (list . (include "edworkers.server.secret" .) "key" "" (printf "edw_admin_%s" (randAlphaNum 43))) -}}
{{- $_ := set .Values.server "made" $kept -}}
{{- end -}}
{{ .Values.server.made }}
{{- end -}}

{{/* The file of keys: the first one, and those of the values. */}}
{{- define "edworkers.server.keys" -}}
keys:
  - name: admin
    sha256: {{ include "edworkers.server.firstKey" . | sha256sum }}
    scopes: [admin]
{{- with .Values.server.keys }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
