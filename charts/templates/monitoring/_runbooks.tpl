{{/* Where the runbooks are, without a slash at its end. */}}
{{- define "edworkers.runbooks" -}}
{{ .Values.monitoring.runbookUrl | default "docs/runbooks" | trimSuffix "/" }}
{{- end -}}
