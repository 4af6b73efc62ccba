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
{{- include "launch-agent.text" .Values.namespaceOverride | default (include "launch-agent.text" .Values.namespace) | default .Release.Namespace -}}
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

{{/* A map in JSON, given as (base, over): over wins, maps are merged, null removes a key. Sprig's own merge would drop
     `false`, 0 and "". */}}
{{- define "launch-agent.merged" -}}
{{- $merged := deepCopy (index . 0) -}}
{{- range $key, $value := index . 1 | default dict -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $merged $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $merged $key)) -}}
{{- $_ := set $merged $key (include "launch-agent.merged" (list (get $merged $key) $value) | fromJson) -}}
{{- else -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- $merged | toJson -}}
{{- end -}}

{{/* A digest wins over a tag. The last colon after the last slash begins a tag. */}}
{{- define "launch-agent.image" -}}
{{- $image := (.Values.agent).image | default (printf "launch-agent:%s" .Chart.AppVersion) -}}
{{- with (.Values.agent).imageDigest -}}
{{- printf "%s@%s" (regexReplaceAll "(:[^:/@]+)?(@.*)?$" $image "") . -}}
{{- else -}}
{{- $image -}}
{{- end -}}
{{- end -}}

{{/* "true" for an image that is called as W&B's own agent is. */}}
{{- define "launch-agent.isWandbImage" -}}
{{- regexMatch "(^|/)wandb/launch-agent(-dev)?([:@]|$)" ((.Values.agent).image | default "") | ternary "true" "" -}}
{{- end -}}

{{/* own or wandb: which agent the image holds. */}}
{{- define "launch-agent.flavour" -}}
{{- $given := (.Values.agent).flavour | default "auto" -}}
{{- if ne $given "auto" -}}
{{- $given -}}
{{- else -}}
{{- include "launch-agent.isWandbImage" . | empty | ternary "own" "wandb" -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.replicas" -}}
{{- (.Values.agent).replicas | default 1 | int -}}
{{- end -}}

{{/* Two pods may overlap where a Lease decides which one takes items, and where both can mount what they need. */}}
{{- define "launch-agent.strategy" -}}
{{- $given := (.Values.agent).strategy | default "auto" -}}
{{- if ne $given "auto" -}}
{{- $given -}}
{{- else if eq (include "launch-agent.flavour" .) "wandb" -}}
Recreate
{{- else if .Values.kanikoPvcName -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" (include "launch-agent.namespace" .) .Values.kanikoPvcName | default dict -}}
{{- has "ReadWriteMany" ((($claim.spec | default dict).accessModes) | default list) | ternary "RollingUpdate" "Recreate" -}}
{{- else -}}
RollingUpdate
{{- end -}}
{{- end -}}

{{- define "launch-agent.baseUrl" -}}
{{- .Values.baseUrl | default "https://api.wandb.ai" | trim -}}
{{- end -}}

{{/* Empty when the key comes from a Secret that somebody else made. */}}
{{- define "launch-agent.apiKey" -}}
{{- if not (or (.Values.agent).useExternalWandbSecret ((.Values.existingSecrets).apiKey).name) -}}
{{- (.Values.agent).apiKey | default "" | trim -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.gitCredentials" -}}
{{- .Values.gitCreds | default "" | replace "\r\n" "\n" | trim -}}
{{- end -}}

{{- define "launch-agent.storageKey" -}}
{{- include "launch-agent.text" .Values.azureStorageAccessKey | trim -}}
{{- end -}}

{{/* W&B's agent reads this Secret in a namespace that is fixed in its code, and its build pods in the agent's own. */}}
{{- define "launch-agent.storageKeyNamespaces" -}}
{{- $names := list (include "launch-agent.namespace" .) -}}
{{- if eq (include "launch-agent.flavour" .) "wandb" -}}{{- $names = append $names "wandb" | uniq -}}{{- end -}}
{{- dict "items" $names | toJson -}}
{{- end -}}

{{/* Other kinds that jobs may be made of, as a JSON list of {apiGroup, resources}: {"items": […]}. */}}
{{- define "launch-agent.customResources" -}}
{{- $volcano := dict "apiGroup" "batch.volcano.sh" "resources" (list "jobs") -}}
{{- $rbac := .Values.rbac | default dict -}}
{{- $given := list $volcano -}}
{{- if hasKey $rbac "customResources" -}}{{- $given = $rbac.customResources | default list -}}{{- end -}}
{{- $items := list -}}
{{- range $given -}}
{{- if not (and (eq .apiGroup "batch.volcano.sh") (eq (toString $.Values.volcano) "false")) -}}
{{- $items = append $items . -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* "true" unless the value (of a switch that is on by default) says false; null and absent are on. */}}
{{- define "launch-agent.isOn" -}}
{{- ne (toString .) "false" | ternary "true" "" -}}
{{- end -}}

{{/* "true" when a bundle is named completely; a name without a key is ignored, as W&B's chart does. */}}
{{- define "launch-agent.hasBundle" -}}
{{- with (.Values.customCABundle).configMap -}}{{- if and .name .key -}}true{{- end -}}{{- end -}}
{{- end -}}
