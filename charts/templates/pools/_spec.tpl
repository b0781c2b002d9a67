{{/* A pool's spec as in values, with the image and the secrets of its queue. */}}

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

{{/* Of a Secret's name, its key and a variable: the variable with that value. */}}
{{- define "edworkers.fromSecret" -}}
name: {{ index . 2 }}
valueFrom:
  secretKeyRef: {name: {{ index . 0 }}, key: {{ index . 1 }}}
{{- end -}}

{{/* The address of the database, as a variable. */}}
{{- define "edworkers.databaseUrl" -}}
{{ include "edworkers.fromSecret" (list .Values.database.existingSecret .Values.database.existingSecretKey "NEON_DATABASE_URL") }}
{{- end -}}

{{/* Of [root, queue]: what this chart knows for a queue's pods, as a list of variables. */}}
{{- define "edworkers.queueEnv" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- $queue := index . 1 -}}
{{- if and (eq $queue "ai") (include "edworkers.gemini.secret" $root) }}
{{- $key := ternary $values.gemini.existingSecretKey "GEMINI_API_KEY" (ne $values.gemini.existingSecret "") }}
- {{ include "edworkers.fromSecret" (list (include "edworkers.gemini.secret" $root) $key "GEMINI_API_KEY") | nindent 2 | trim }}
{{- else if eq $queue "webhook" }}
{{- $key := ternary $values.webhook.existingSecretKey "WEBHOOK_SECRET" (ne $values.webhook.existingSecret "") }}
- {{ include "edworkers.fromSecret" (list (include "edworkers.webhook.secret" $root) $key "WEBHOOK_SECRET") | nindent 2 | trim }}
{{- end }}
{{- if $values.database.existingSecret }}
- {{ include "edworkers.databaseUrl" $root | nindent 2 | trim }}
{{- if eq $queue "scheduled" }}
- name: BACKUP_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ $values.database.existingSecret }}, key: BACKUP_DATABASE_URL, optional: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of [root, queue]: the Secrets whose keys are variables of a queue's pods, with commas between them; or nothing. */}}
{{- define "edworkers.queueSecrets" -}}
{{- $values := (index . 0).Values -}}
{{- $of := dict "document" (list $values.storage) "email" (list $values.smtp $values.storage) "scheduled" (list $values.storage) -}}
{{- $names := list -}}
{{- range get $of (index . 1) | default list }}{{ $names = append $names .existingSecret }}{{ end -}}
{{ join "," (compact $names) }}
{{- end -}}

{{/* Of [root, pool]: which value a pool of this chart waits for; empty where it can run, or where its user says how. */}}
{{- define "edworkers.missing" -}}
{{- $root := index . 0 -}}
{{- $pool := get $root.Values.pools (index . 1) | default dict -}}
{{- $spec := $pool.spec | default dict -}}
{{- $needs := dict "ai" "gemini" "document" "storage" "email" "smtp" "scheduled" "database" -}}
{{- $need := get $needs (index . 1) -}}
{{- if and $pool.enabled $need (eq $spec.handlers (printf "edworkers.handlers.%s" (index . 1))) -}}
{{- $given := or (get $root.Values $need).existingSecret (get $root.Values $need).apiKey -}}
{{- if not (or $given $spec.env $spec.envFrom (hasKey $spec "suspend")) -}}
{{ $need }}.existingSecret
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of [root, name, spec]. */}}
{{- define "edworkers.poolSpec" -}}
{{- $root := index . 0 -}}
{{- $spec := deepCopy (index . 2) -}}
{{- $env := $spec.env | default list -}}
{{- $given := list -}}
{{- range $env }}{{ $given = append $given .name }}{{ end -}}
{{- range include "edworkers.queueEnv" (list $root $spec.queue) | fromYamlArray | reverse -}}
{{- if not (has .name $given) }}{{ $env = prepend $env . }}{{ end -}}
{{- end -}}
{{- if $env }}{{ $_ := set $spec "env" $env }}{{ end -}}
{{- $envFrom := list -}}
{{- range compact (splitList "," (include "edworkers.queueSecrets" (list $root $spec.queue))) -}}
{{- $envFrom = append $envFrom (dict "secretRef" (dict "name" .)) -}}
{{- end -}}
{{- with concat $envFrom ($spec.envFrom | default list) }}{{ $_ := set $spec "envFrom" . }}{{ end -}}
{{- if and (not $spec.image) (has $spec.handlers (list "edworkers.handlers.document" "edworkers.handlers.scheduled")) -}}
{{- $_ := set $spec "image" (include "edworkers.documentsImage" $root) -}}
{{- end -}}
{{- if include "edworkers.missing" (list $root (index . 1)) -}}
{{- $_ := set $spec "suspend" true -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}
