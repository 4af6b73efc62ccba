{{/* `own` is what lies in the agent's namespace: one place for the names that an upgrade must find again. */}}
{{- define "shape.own" -}}
name: {{ index . 1 }}
namespace: {{ (index . 0).Values.namespace | default (index . 0).Release.Namespace | quote }}
{{- end -}}

{{- define "shape.subjects" -}}
- kind: ServiceAccount
  name: wandb-launch-serviceaccount-{{ .Release.Name }}
  namespace: {{ .Values.namespace | default .Release.Namespace | quote }}
{{- end -}}
