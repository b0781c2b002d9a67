{{/* What things are called: names, labels, images. */}}

{{- define "edworkers.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "edworkers.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "edworkers.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "edworkers.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "edworkers.operatorName" -}}{{ include "edworkers.fullname" . }}-operator{{- end -}}
{{- define "edworkers.keeperName" -}}{{ include "edworkers.fullname" . }}-keeper{{- end -}}
{{- define "edworkers.redisName" -}}{{ include "edworkers.fullname" . }}-redis{{- end -}}
{{- define "edworkers.poolsName" -}}{{ include "edworkers.fullname" . }}-pools{{- end -}}
{{- define "edworkers.crdUpgradeName" -}}{{ include "edworkers.fullname" . }}-crd-upgrade{{- end -}}
{{- define "edworkers.migrateName" -}}{{ include "edworkers.fullname" . }}-migrate{{- end -}}
{{/* Cluster-wide objects carry the namespace, so that two releases of one name don't meet. */}}
{{- define "edworkers.clusterName" -}}{{ .Release.Namespace }}-{{ include "edworkers.fullname" . }}{{- end -}}

{{- define "edworkers.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "edworkers.operatorName" .) -}}
{{- else -}}
{{- required "serviceAccount.name: needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of a component, [root, component]: what selects its pods. */}}
{{- define "edworkers.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: edworkers
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "edworkers.labels" -}}
{{- $root := index . 0 -}}
{{ include "edworkers.selectorLabels" . }}
app.kubernetes.io/part-of: edworkers
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Of [registry, image, default tag]: a digest comes before a tag. */}}
{{- define "edworkers.imageOf" -}}
{{- $registry := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default (index . 2) }}{{ end -}}
{{- end -}}

{{- define "edworkers.operatorImage" -}}
{{ include "edworkers.imageOf" (list .Values.image.registry .Values.operator.image .Chart.AppVersion) }}
{{- end -}}
{{- define "edworkers.runnerImage" -}}
{{ include "edworkers.imageOf" (list .Values.image.registry .Values.runner.image .Chart.AppVersion) }}
{{- end -}}
{{- define "edworkers.documentsImage" -}}
{{ include "edworkers.imageOf" (list .Values.image.registry .Values.documents.image .Chart.AppVersion) }}
{{- end -}}
{{- define "edworkers.redisImage" -}}
{{ include "edworkers.imageOf" (list "" .Values.redis.bundled.image "7.4") }}
{{- end -}}
