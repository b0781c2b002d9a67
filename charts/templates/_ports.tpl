{{/* Ports of network policies. */}}

{{- define "edworkers.dnsPorts" -}}
- {port: 53, protocol: UDP}
- {port: 53, protocol: TCP}
{{- end -}}

{{/* Those of Redis; a cluster or Sentinel tells of further ones, so there any port is allowed from 1024 up. */}}
{{- define "edworkers.redis.ports" -}}
{{- if eq (include "edworkers.redis.mode" .) "standalone" -}}
- {port: {{ include "edworkers.redis.port" . }}, protocol: TCP}
{{- else -}}
- {port: 1024, endPort: 65535, protocol: TCP}
{{- end -}}
{{- end -}}
