{{/* What the schema can't say, because several values have a part in it. All faults are told at once. */}}
{{- define "edworkers.check" -}}
{{- $faults := list -}}
{{- $external := .Values.redis.external -}}
{{- if and .Values.redis.bundled.enabled $external.addresses -}}
{{- $faults = append $faults "redis.external.addresses is set while redis.bundled.enabled is true: set redis.bundled.enabled=false to use the external Redis" -}}
{{- end -}}
{{- if and (not .Values.redis.bundled.enabled) (not $external.addresses) -}}
{{- $faults = append $faults "redis.external.addresses is empty while redis.bundled.enabled is false: give the address of a Redis, such as redis.example.internal:6379" -}}
{{- end -}}
{{- range $address := $external.addresses -}}
{{- if not (regexMatch "^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$" $address) -}}
{{- $faults = append $faults (printf "redis.external.addresses: %q is no host:port, such as redis.example.internal:6379" $address) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $external.mode "standalone") (gt (len $external.addresses) 1) -}}
{{- $faults = append $faults "redis.external.addresses: a standalone Redis has one address; is redis.external.mode to be sentinel or cluster?" -}}
{{- end -}}
{{- if and (eq $external.mode "sentinel") (not $external.master) -}}
{{- $faults = append $faults "redis.external.master: with Sentinel the name of the master must be given" -}}
{{- end -}}
{{- if and (eq $external.mode "cluster") $external.database -}}
{{- $faults = append $faults "redis.external.database: a Redis Cluster has only database 0" -}}
{{- end -}}
{{- if and .Values.operator.watchNamespaces (not (has .Release.Namespace .Values.operator.watchNamespaces)) -}}
{{- range $name, $pool := .Values.pools -}}
{{- if $pool.enabled -}}
{{- $faults = append $faults (printf "operator.watchNamespaces: the pool %s of this release is made in the namespace %s, which is not among them" $name $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $pool := .Values.pools -}}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$" $name) -}}
{{- $faults = append $faults (printf "pools: %q is no name for a pool: small letters, digits and hyphens, at most 53" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list (include "edworkers.operatorName" .) (include "edworkers.keeperName" .) (include "edworkers.serverName" .) (include "edworkers.redisName" .) -}}
{{- $pool := get $.Values.pools (trimPrefix "edworkers-" $name) -}}
{{- if and $pool $pool.enabled -}}
{{- $faults = append $faults (printf "pools: the pods of %q would be named %s, which this release has for itself; name the pool otherwise" (trimPrefix "edworkers-" $name) $name) -}}
{{- end -}}
{{- end -}}
{{- $server := .Values.server -}}
{{- if and $server.enabled $server.ingress.enabled (not $server.ingress.host) -}}
{{- $faults = append $faults "server.ingress.host is empty while server.ingress.enabled is true: give the name under which people reach it" -}}
{{- end -}}
{{- if and $server.existingKeysSecret $server.keys -}}
{{- $faults = append $faults "server.keys is set while server.existingKeysSecret is: put the keys into that Secret" -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\nedworkers can't be installed with these values:\n  - %s\n" (join "\n  - " $faults)) -}}
{{- end -}}
{{- end -}}
