{{/* What the operator may do in a namespace that it serves. It reads no Secret and hands out no rights. */}}
{{- define "edworkers.rules" -}}
- apiGroups: [edworkers.dev]
  resources: [workerpools]
  verbs: [get, list, watch, patch]
- apiGroups: [edworkers.dev]
  resources: [workerpools/status]
  verbs: [get, patch]
- apiGroups: [edworkers.dev]
  resources: [workerpools/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: &children [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: *children
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: *children
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: *children
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: *children
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: *children
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: *children
- apiGroups: [""]
  resources: [pods]                 # patched: which of them is to go first when there are too many
  verbs: [get, list, watch, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
