{{/* Every object's name is built here and nowhere else. They are W&B's names, because `helm upgrade` from W&B's chart
     must find its objects: another name is another object. */}}

{{/* Also the value of the label `app`, and so at most 63 characters: a long release name is cut and gets a hash. */}}
{{- define "launch-agent.names.workload" -}}
{{- $name := printf "launch-agent-%s" .Release.Name -}}
{{- if gt (len $name) 63 -}}
{{- printf "%s-%s" (trunc 54 $name | trimSuffix "-" | trimSuffix ".") (sha256sum .Release.Name | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.names.serviceAccount" -}}
{{- (.Values.serviceAccount).name | default (printf "wandb-launch-serviceaccount-%s" .Release.Name) -}}
{{- end -}}

{{/* A Service's name has no dots, a release's may. */}}
{{- define "launch-agent.names.service" -}}
{{- include "launch-agent.names.workload" . | replace "." "-" -}}
{{- end -}}

{{- define "launch-agent.names.check" -}}
{{- printf "%s-check" (include "launch-agent.names.workload" . | trunc 57 | trimSuffix "-" | trimSuffix ".") -}}
{{- end -}}

{{- define "launch-agent.names.config" -}}
{{- printf "wandb-launch-configmap-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.sshConfig" -}}
{{- printf "ssh-config-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.apiKey" -}}
{{- ((.Values.existingSecrets).apiKey).name | default (printf "wandb-api-key-%s" .Release.Name) -}}
{{- end -}}

{{- define "launch-agent.names.apiKeyKey" -}}
{{- if ((.Values.existingSecrets).apiKey).name -}}{{- .Values.existingSecrets.apiKey.key | default "password" -}}{{- else -}}password{{- end -}}
{{- end -}}

{{/* The three names below hold no release: a second one in the namespace needs secretNames.suffix. */}}
{{- define "launch-agent.names.suffixed" -}}
{{- $suffix := include "launch-agent.text" ((index . 0).Values.secretNames).suffix -}}
{{- $suffix | empty | ternary (index . 1) (printf "%s-%s" (index . 1) $suffix) -}}
{{- end -}}

{{- define "launch-agent.names.gitCredentials" -}}
{{- (.Values.existingSecrets).gitCreds | default (include "launch-agent.names.suffixed" (list . "git-creds")) -}}
{{- end -}}

{{- define "launch-agent.names.storageKey" -}}
{{- ((.Values.existingSecrets).azureStorageAccessKey).name | default (include "launch-agent.names.suffixed" (list . "azure-storage-access-key")) -}}
{{- end -}}

{{- define "launch-agent.names.secretEnvironment" -}}
{{- include "launch-agent.names.suffixed" (list . "launch-agent-secret-env-vars") -}}
{{- end -}}

{{- define "launch-agent.names.movedVariables" -}}
{{- printf "launch-agent-moved-variables-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.agentRole" -}}
{{- printf "wandb-launch-agent-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.agentBinding" -}}
{{- printf "wandb-launch-role-binding-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.jobRole" -}}
{{- printf "wandb-job-creator-%s" .Release.Name -}}
{{- end -}}

{{/* Of a ClusterRole: the same release name in two namespaces must not collide. */}}
{{- define "launch-agent.names.clusterRole" -}}
{{- printf "wandb-job-creator-%s-%s" (include "launch-agent.namespace" .) .Release.Name -}}
{{- end -}}

{{/* Not W&B's name (wandb-launch-cluster-role-binding-…): theirs refers to a ClusterRole, ours to a Role, and a
     binding's roleRef is immutable. */}}
{{- define "launch-agent.names.jobBinding" -}}
{{- printf "wandb-launch-job-creator-binding-%s" .Release.Name -}}
{{- end -}}
