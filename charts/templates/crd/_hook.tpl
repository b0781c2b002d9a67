{{/* Of a weight: what makes an object part of the hook. */}}
{{- define "edworkers.crdUpgradeHook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
