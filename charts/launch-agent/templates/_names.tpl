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
{{- printf "wandb-launch-serviceaccount-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.config" -}}
{{- printf "wandb-launch-configmap-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.sshConfig" -}}
{{- printf "ssh-config-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.apiKey" -}}
{{- printf "wandb-api-key-%s" .Release.Name -}}
{{- end -}}

{{- define "launch-agent.names.gitCredentials" -}}
git-creds
{{- end -}}

{{- define "launch-agent.names.storageKey" -}}
azure-storage-access-key
{{- end -}}

{{- define "launch-agent.names.secretEnvironment" -}}
launch-agent-secret-env-vars
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

{{/* Not W&B's name (wandb-launch-cluster-role-binding-…): theirs refers to a ClusterRole, ours to a Role, and a
     binding's roleRef is immutable. */}}
{{- define "launch-agent.names.jobBinding" -}}
{{- printf "wandb-launch-job-creator-binding-%s" .Release.Name -}}
{{- end -}}
