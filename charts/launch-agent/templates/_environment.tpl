{{/* The container's environment as a list, in JSON ({"items": […]}). A name stands in it once: the last one given counts. */}}
{{- define "launch-agent.environment" -}}
{{- $all := concat (include "launch-agent.environment.own" . | fromYamlArray) (include "launch-agent.environment.given" . | fromYamlArray) -}}
{{- $last := dict -}}
{{- range $all -}}{{- $_ := set $last .name . -}}{{- end -}}
{{- $items := list -}}
{{- range $all -}}
{{- if hasKey $last .name -}}
{{- $items = append $items (get $last .name) -}}
{{- $_ := unset $last .name -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{- define "launch-agent.environment.own" -}}
- name: WANDB_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "launch-agent.names.apiKey" . }}
      key: password
- name: WANDB_BASE_URL
  valueFrom:
    configMapKeyRef:
      name: {{ include "launch-agent.names.config" . }}
      key: wandb-base-url
- name: WANDB_LAUNCH_SERVICE_ACCOUNT_NAME
  value: {{ include "launch-agent.names.serviceAccount" . | quote }}
- name: WANDB_LAUNCH_START_TIMEOUT
  value: {{ include "launch-agent.text" (.Values.agent).startTimeout | quote }}
- name: WANDB_RELEASE_NAME
  value: {{ .Release.Name | quote }}
- name: CM_CHECKSUM
  value: {{ include "launch-agent.configChecksum" . | quote }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.name
{{- if include "launch-agent.hasBundle" . }}
- name: REQUESTS_CA_BUNDLE
  value: /etc/launch-agent/ca/bundle.pem
{{- end }}
{{- with .Values.kanikoPvcName }}
- name: WANDB_LAUNCH_KANIKO_PVC_NAME
  value: {{ . | quote }}
- name: WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH
  value: /home/launch_agent/kaniko
{{- end }}
{{- with .Values.kanikoDockerConfigSecret }}
- name: WANDB_LAUNCH_KANIKO_AUTH_SECRET
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "launch-agent.environment.given" -}}
{{- range .Values.additionalEnvVars }}
- name: {{ .name | quote }}
  {{- if .valueFrom }}
  valueFrom:
    {{- toYaml .valueFrom | nindent 4 }}
  {{- else }}
  value: {{ include "launch-agent.text" .value | quote }}
  {{- end }}
{{- end }}
{{- range .Values.additionalSecretEnvVars }}
- name: {{ .name | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ include "launch-agent.names.secretEnvironment" $ }}
      key: {{ .name | quote }}
{{- end }}
{{- end -}}

{{/* Of the data, not of the rendered objects: a new chart version alone restarts nothing. */}}
{{- define "launch-agent.configChecksum" -}}
{{- list (include "launch-agent.baseUrl" .) (include "launch-agent.config" .) .Values.sshAuthSecrets .Values.sshKnownHosts | toJson | sha256sum -}}
{{- end -}}

{{- define "launch-agent.secretsChecksum" -}}
{{- list (include "launch-agent.apiKey" .) (include "launch-agent.gitCredentials" .) (include "launch-agent.storageKey" .) .Values.additionalSecretEnvVars | toJson | sha256sum -}}
{{- end -}}
