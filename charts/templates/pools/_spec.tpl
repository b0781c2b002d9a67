{{/* A pool's spec as in values, with the secrets of its queue. */}}

{{/* Of [root, queue]: the Secret that this chart knows for a queue, as a variable of its pods; or nothing. */}}
{{- define "edworkers.queueSecret" -}}
{{- $root := index . 0 -}}
{{- if and (eq (index . 1) "ai") (include "edworkers.gemini.secret" $root) -}}
name: GEMINI_API_KEY
valueFrom:
  secretKeyRef:
    name: {{ include "edworkers.gemini.secret" $root }}
    key: {{ if $root.Values.gemini.existingSecret }}{{ $root.Values.gemini.existingSecretKey }}{{ else }}GEMINI_API_KEY{{ end }}
{{- else if eq (index . 1) "webhook" -}}
name: WEBHOOK_SECRET
valueFrom:
  secretKeyRef:
    name: {{ include "edworkers.webhook.secret" $root }}
    key: {{ if $root.Values.webhook.existingSecret }}{{ $root.Values.webhook.existingSecretKey }}{{ else }}WEBHOOK_SECRET{{ end }}
{{- end -}}
{{- end -}}

{{- define "edworkers.gemini.secret" -}}
{{- if .Values.gemini.existingSecret -}}
{{ .Values.gemini.existingSecret }}
{{- else if .Values.gemini.apiKey -}}
{{ include "edworkers.fullname" . }}-gemini
{{- end -}}
{{- end -}}

{{- define "edworkers.webhook.secret" -}}
{{- if .Values.webhook.existingSecret -}}
{{ .Values.webhook.existingSecret }}
{{- else -}}
{{ include "edworkers.fullname" . }}-webhook
{{- end -}}
{{- end -}}

{{/* Whether pool `ai` is to wait for a key: it is on, and no key can be seen; empty for no. */}}
{{- define "edworkers.gemini.missing" -}}
{{- $pool := .Values.pools.ai | default dict -}}
{{- $spec := $pool.spec | default dict -}}
{{- if and $pool.enabled (not (include "edworkers.gemini.secret" .)) (not $spec.env) (not $spec.envFrom) (not (hasKey $spec "suspend")) -}}
yes
{{- end -}}
{{- end -}}

{{/* Of [root, name, spec]. */}}
{{- define "edworkers.poolSpec" -}}
{{- $root := index . 0 -}}
{{- $spec := deepCopy (index . 2) -}}
{{- $env := $spec.env | default list -}}
{{- $secret := include "edworkers.queueSecret" (list $root $spec.queue) | fromYaml -}}
{{- $names := list -}}
{{- range $env }}{{ $names = append $names .name }}{{ end -}}
{{- if and $secret (not (has $secret.name $names)) -}}
{{- $env = prepend $env $secret -}}
{{- end -}}
{{- if $env }}{{ $_ := set $spec "env" $env }}{{ end -}}
{{- if and (eq (index . 1) "ai") (include "edworkers.gemini.missing" $root) -}}
{{- $_ := set $spec "suspend" true -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}
