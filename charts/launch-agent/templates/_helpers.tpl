{{/* A scalar as text. Helm reads numbers as floats: 1000000 would be printed as 1e+06. Null is the empty string. */}}
{{- define "launch-agent.text" -}}
{{- if kindIs "invalid" . -}}
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{- printf "%.0f" . -}}{{- else -}}{{- toString . -}}{{- end -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Maps of names to texts (labels, annotations, node selectors), given as a list; the later map wins. Keys without a
     value keep an empty one, which sprig's merge would lose. */}}
{{- define "launch-agent.texts" -}}
{{- $all := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}{{- $_ := set $all $key (include "launch-agent.text" $value) -}}{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "launch-agent.namespace" -}}
{{- include "launch-agent.text" .Values.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* The agent's own namespace is always a target. As a JSON list: {"items": […]}. */}}
{{- define "launch-agent.targetNamespaces" -}}
{{- $names := list (include "launch-agent.namespace" .) -}}
{{- range .Values.additionalTargetNamespaces -}}
{{- with include "launch-agent.text" . -}}{{- $names = append $names . -}}{{- end -}}
{{- end -}}
{{- dict "items" ($names | uniq) | toJson -}}
{{- end -}}

{{/* The selector of an existing Deployment can't be changed: this line is for ever. */}}
{{- define "launch-agent.selectorLabels" -}}
app: {{ include "launch-agent.names.workload" . }}
{{- end -}}

{{- define "launch-agent.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "launch-agent.podLabels" . }}
{{- end -}}

{{/* Without versions: a new chart alone does not restart the agent. */}}
{{- define "launch-agent.podLabels" -}}
app.kubernetes.io/name: launch-agent
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "launch-agent.image" -}}
{{- (.Values.agent).image | default (printf "launch-agent:%s" .Chart.AppVersion) -}}
{{- end -}}

{{- define "launch-agent.baseUrl" -}}
{{- .Values.baseUrl | default "https://api.wandb.ai" | trim -}}
{{- end -}}

{{/* Empty when the key comes from a Secret that somebody else made. */}}
{{- define "launch-agent.apiKey" -}}
{{- if not (.Values.agent).useExternalWandbSecret -}}{{- (.Values.agent).apiKey | default "" | trim -}}{{- end -}}
{{- end -}}

{{- define "launch-agent.gitCredentials" -}}
{{- .Values.gitCreds | default "" | replace "\r\n" "\n" | trim -}}
{{- end -}}

{{- define "launch-agent.storageKey" -}}
{{- include "launch-agent.text" .Values.azureStorageAccessKey | trim -}}
{{- end -}}

{{/* "true" when a bundle is named completely; a name without a key is ignored, as W&B's chart does. */}}
{{- define "launch-agent.hasBundle" -}}
{{- with (.Values.customCABundle).configMap -}}{{- if and .name .key -}}true{{- end -}}{{- end -}}
{{- end -}}
