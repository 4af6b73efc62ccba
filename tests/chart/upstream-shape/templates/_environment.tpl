{{/* Nothing is done about names that are given twice: the container's own come first, and the list goes out as it is. */}}
{{- define "shape.environment" -}}
- name: WANDB_API_KEY
  valueFrom: {secretKeyRef: {name: wandb-api-key-{{ .Release.Name }}, key: password}}
- name: WANDB_BASE_URL
  valueFrom: {configMapKeyRef: {name: wandb-launch-configmap-{{ .Release.Name }}, key: wandb-base-url}}
- {name: WANDB_LAUNCH_SERVICE_ACCOUNT_NAME, value: wandb-launch-serviceaccount-{{ .Release.Name }}}
- {name: WANDB_LAUNCH_START_TIMEOUT, value: {{ .Values.agent.startTimeout | toString | quote }}}
- {name: WANDB_RELEASE_NAME, value: {{ .Release.Name | quote }}}
- {name: CM_CHECKSUM, value: {{ printf "%s%s" .Values.baseUrl .Values.launchConfig | sha256sum }}}
{{- if .Values.customCABundle.configMap.key }}
- {name: REQUESTS_CA_BUNDLE, value: /usr/local/share/ca-certificates/bundle.crt}
{{- end }}
{{- with .Values.kanikoPvcName }}
- {name: WANDB_LAUNCH_KANIKO_PVC_NAME, value: {{ . | quote }}}
- {name: WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH, value: /home/launch_agent/kaniko}
{{- end }}
{{- with .Values.kanikoDockerConfigSecret }}
- {name: WANDB_LAUNCH_KANIKO_AUTH_SECRET, value: {{ . | quote }}}
{{- end }}
{{- range .Values.additionalEnvVars }}
- {name: {{ .name }}, value: {{ .value | toString | quote }}}
{{- end }}
{{- range .Values.additionalSecretEnvVars }}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: launch-agent-secret-env-vars, key: {{ .name }}}}
{{- end }}
{{- end -}}
