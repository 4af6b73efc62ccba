{{/* The rules that the agent's account gets. For our own agent they equal the table in docs/security.md; a test compares
     them. W&B's agent gets what W&B's chart gives it. */}}
{{- define "launch-agent.rules.home" -}}
{{- if eq (include "launch-agent.flavour" .) "wandb" -}}
- apiGroups: [""]
  resources: [pods, configmaps, secrets, pods/log]
  verbs: [create, get, list, watch, update, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, update, patch, delete]
{{- else -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, list, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  # Those of further replicas, too, when there are none any more: what they left is followed to its end.
  resourceNames:
    - {{ include "launch-agent.names.workload" . | quote }}
    {{- range $n := untilStep 1 8 1 }}
    - {{ printf "%s-%d" (include "launch-agent.names.workload" $) $n | quote }}
    {{- end }}
  verbs: [get, update]
{{- if gt (include "launch-agent.replicas" . | int) 1 }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
{{- end -}}
{{- end -}}

{{- define "launch-agent.rules.jobs" -}}
{{- if eq (include "launch-agent.flavour" .) "wandb" -}}
- apiGroups: [""]
  resources: [pods, pods/log, secrets]
  verbs: [create, get, list, watch, update, patch, delete]
- apiGroups: [batch]
  resources: [jobs, jobs/status]
  verbs: [create, get, list, watch, update, patch, delete]
{{- else -}}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Never listed or watched: the agent knows the names of those that it made.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "launch-agent.names.apiKey" . | quote }}]
  verbs: [get]
{{- if (.Values.rbac).additionalServices }}
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [create, patch, delete]
# Asked for until they are ready.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, patch, delete]
{{- end }}
{{- end }}
{{- range (include "launch-agent.customResources" . | fromJson).items }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources: {{ .resources | toJson }}
  verbs: [create, get, list, watch, {{ if eq (include "launch-agent.flavour" $) "wandb" }}update, {{ end }}patch, delete]
{{- end }}
{{- end -}}

{{- define "launch-agent.subjects" -}}
- kind: ServiceAccount
  name: {{ include "launch-agent.names.serviceAccount" . }}
  namespace: {{ include "launch-agent.namespace" . | quote }}
{{- end -}}
