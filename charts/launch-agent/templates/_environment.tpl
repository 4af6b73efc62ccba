{{/* The environment as a list, in JSON ({"items": […]}). A name stands in it once: the last one given counts. For the
     exception, the container that a release of W&B's chart may have left with repetitions, see _repeats.tpl. */}}
{{- define "launch-agent.environment" -}}
{{- $last := dict -}}
{{- $order := list -}}
{{- range (include "launch-agent.environment.all" . | fromJson).items -}}
{{- if not (hasKey $last .name) -}}{{- $order = append $order .name -}}{{- end -}}
{{- $_ := set $last .name . -}}
{{- end -}}
{{- $items := list -}}
{{- range $order -}}{{- $items = append $items (get $last .) -}}{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* The chart's own and the given ones, repetitions and all. */}}
{{- define "launch-agent.environment.all" -}}
{{- dict "items" (concat (include "launch-agent.environment.own" . | fromYamlArray) (include "launch-agent.environment.given" . | fromYamlArray)) | toJson -}}
{{- end -}}

{{- define "launch-agent.environment.own" -}}
- name: WANDB_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "launch-agent.names.apiKey" . }}
      key: {{ include "launch-agent.names.apiKeyKey" . | quote }}
- name: WANDB_BASE_URL
  valueFrom:
    configMapKeyRef:
      name: {{ include "launch-agent.names.config" . }}
      key: wandb-base-url
- name: WANDB_LAUNCH_SERVICE_ACCOUNT_NAME
  value: {{ include "launch-agent.names.serviceAccount" . | quote }}
- name: WANDB_LAUNCH_START_TIMEOUT
  value: {{ include "launch-agent.text" (.Values.agent).startTimeout | default "1800" | quote }}
- name: WANDB_RELEASE_NAME
  value: {{ .Release.Name | quote }}
- name: CM_CHECKSUM
  value: {{ include "launch-agent.configChecksum" . | quote }}
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
{{- if eq (include "launch-agent.flavour" .) "own" }}
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
- name: LAUNCH_AGENT_LEASE
  value: {{ include "launch-agent.names.workload" . | quote }}
{{- if gt (include "launch-agent.replicas" . | int) 1 }}
- name: LAUNCH_AGENT_REPLICAS
  value: {{ include "launch-agent.replicas" . | quote }}
{{- end }}
- name: LAUNCH_AGENT_TARGET_NAMESPACES
  value: {{ (.Values.rbac).clusterWide | empty | ternary (join "," (include "launch-agent.targetNamespaces" . | fromJson).items) "*" | quote }}
- name: LAUNCH_AGENT_SERVICE_ACCOUNT
  value: {{ include "launch-agent.names.serviceAccount" . | quote }}
- name: LAUNCH_AGENT_OWN_SECRETS
  value: {{ join "," (include "launch-agent.ownSecrets" . | fromJson).items | quote }}
{{- if ((.Values.existingSecrets).apiKey).name }}
- name: LAUNCH_AGENT_API_KEY_SECRET
  value: {{ printf "%s/%s" (include "launch-agent.names.apiKey" .) (include "launch-agent.names.apiKeyKey" .) | quote }}
{{- end }}
{{- $storage := (.Values.existingSecrets).azureStorageAccessKey | default dict }}
{{- if or $storage.name (.Values.secretNames).suffix }}
- name: LAUNCH_AGENT_STORAGE_KEY_SECRET
  value: {{ printf "%s/%s" (include "launch-agent.names.storageKey" .) ($storage.name | empty | ternary "password" ($storage.key | default "password")) | quote }}
{{- end }}
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

{{/* The names of all Secrets with the agent's own keys, those that the chart makes and those that it is given: no job may
     read them. Not the pull Secrets of its image, which jobs may share. As a JSON list: {"items": […]}. */}}
{{- define "launch-agent.ownSecrets" -}}
{{- $names := list (include "launch-agent.names.apiKey" .) (include "launch-agent.names.movedVariables" .) -}}
{{- if or (.Values.existingSecrets).gitCreds (include "launch-agent.gitCredentials" .) -}}
{{- $names = append $names (include "launch-agent.names.gitCredentials" .) -}}
{{- end -}}
{{- if or ((.Values.existingSecrets).azureStorageAccessKey).name (include "launch-agent.storageKey" .) -}}
{{- $names = append $names (include "launch-agent.names.storageKey" .) -}}
{{- end -}}
{{- with .Values.additionalSecretEnvVars -}}
{{- $names = append $names (include "launch-agent.names.secretEnvironment" $) -}}
{{- end -}}
{{- range (.Values.existingSecrets).environment -}}{{- $names = append $names (toString .) -}}{{- end -}}
{{- range .Values.sshAuthSecrets -}}{{- $names = append $names (toString .name) -}}{{- end -}}
{{- with .Values.kanikoDockerConfigSecret -}}{{- $names = append $names (toString .) -}}{{- end -}}
{{- range .Values.additionalEnvVars -}}
{{- with ((.valueFrom).secretKeyRef).name -}}{{- $names = append $names (toString .) -}}{{- end -}}
{{- end -}}
{{- range (.Values.agent).extraVolumes -}}
{{- with (.secret).secretName -}}{{- $names = append $names (toString .) -}}{{- end -}}
{{- range (.projected).sources -}}{{- with (.secret).name -}}{{- $names = append $names (toString .) -}}{{- end -}}{{- end -}}
{{- end -}}
{{- dict "items" ($names | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{/* Secrets of which every key becomes a variable. */}}
{{- define "launch-agent.environmentFrom" -}}
{{- range (.Values.existingSecrets).environment }}
- secretRef:
    name: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Of the data, not of the rendered objects: a new chart version alone restarts nothing. */}}
{{- define "launch-agent.configChecksum" -}}
{{- list (include "launch-agent.baseUrl" .) (include "launch-agent.config" .) (.Values.sshAuthSecrets | default list) (.Values.sshKnownHosts | default "" | trim) (eq (toString .Values.sshStrictHostKeyChecking) "accept-new") | toJson | sha256sum -}}
{{- end -}}

{{- define "launch-agent.secretsChecksum" -}}
{{- list (include "launch-agent.apiKey" .) (include "launch-agent.gitCredentials" .) (include "launch-agent.storageKey" .) (.Values.additionalSecretEnvVars | default list) | toJson | sha256sum -}}
{{- end -}}
