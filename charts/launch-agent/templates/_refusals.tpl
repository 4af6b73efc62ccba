{{/* What can not work, one sentence a line: the value, what was found, what to do. Types, forms and unknown keys are
     refused by values.schema.json before; here is what concerns several values, what a schema would say badly, and
     what only a look into the cluster tells. No sentence repeats a secret. */}}
{{- define "launch-agent.refusals" -}}
{{ include "launch-agent.refusals.apiKey" . }}
{{ include "launch-agent.refusals.secrets" . }}
{{ include "launch-agent.refusals.agent" . }}
{{- $forms := include "launch-agent.refusals.forms" . | trim }}
{{ $forms }}
{{ include "launch-agent.refusals.labels" . }}
{{ include "launch-agent.config.faults" . }}
{{- if not $forms }}
{{ include "launch-agent.repeats.faults" . }}
{{- end }}
{{ include "launch-agent.placeholders" . }}
{{ include "launch-agent.refusals.live" . }}
{{- end -}}

{{- define "launch-agent.refusals.apiKey" -}}
{{- $key := toString ((.Values.agent).apiKey | default "") | trim -}}
{{- $isExternal := (.Values.agent).useExternalWandbSecret -}}
{{- $existing := ((.Values.existingSecrets).apiKey).name -}}
{{- if and $isExternal $key }}
agent.apiKey and agent.useExternalWandbSecret are both set. Keep one of them.
{{- end }}
{{- if and $existing $key }}
agent.apiKey and existingSecrets.apiKey.name are both set. Keep one of them.
{{- end }}
{{- if and $existing $isExternal }}
agent.useExternalWandbSecret and existingSecrets.apiKey.name are both set. Keep existingSecrets.apiKey.name.
{{- end }}
{{- if regexMatch "[<>\\s]" $key }}
agent.apiKey is not a key: it holds blanks or < >. Fill in the key of a W&B account.
{{- end }}
{{- if not (or $key $isExternal $existing) }}
agent.apiKey is empty. Set it, or name a Secret that holds it in existingSecrets.apiKey.name, or make the Secret {{ include "launch-agent.names.apiKey" . }} (key: password) and set agent.useExternalWandbSecret: true.
{{- end }}
{{- end -}}

{{- define "launch-agent.refusals.secrets" -}}
{{- $existing := .Values.existingSecrets | default dict -}}
{{- if and (include "launch-agent.gitCredentials" .) $existing.gitCreds }}
gitCreds and existingSecrets.gitCreds are both set. Keep one of them.
{{- end }}
{{- if and (include "launch-agent.storageKey" .) ($existing.azureStorageAccessKey).name }}
azureStorageAccessKey and existingSecrets.azureStorageAccessKey.name are both set. Keep one of them.
{{- end }}
{{- end -}}

{{- define "launch-agent.refusals.agent" -}}
{{- $agent := .Values.agent | default dict -}}
{{- $flavour := include "launch-agent.flavour" . -}}
{{- $image := include "launch-agent.image" . -}}
{{- if and (eq $flavour "own") (include "launch-agent.isWandbImage" .) }}
agent.image is W&B's own agent ({{ $image }}), but agent.flavour says own: it would not start. Remove agent.flavour, or set a launch-agent image.
{{- end }}
{{- if eq $flavour "wandb" }}
{{- if eq ($agent.strategy | default "auto") "RollingUpdate" }}
agent.strategy is RollingUpdate, but W&B's own agent has no Lease: two of them would take items at once. Set auto or Recreate.
{{- end }}
{{- if gt (include "launch-agent.replicas" . | int) 1 }}
agent.replicas is {{ include "launch-agent.replicas" . }}, but W&B's own agents do not share a queue's max_jobs and would count and adopt nothing of each other. Set 1, or a launch-agent image.
{{- end }}
{{- $storage := (.Values.existingSecrets).azureStorageAccessKey | default dict }}
{{- if and $storage.name (ne (toString $storage.name) "azure-storage-access-key") }}
existingSecrets.azureStorageAccessKey.name is {{ $storage.name }}, but W&B's own agent reads the Secret azure-storage-access-key in the namespace wandb and no other. Name it so, or set a launch-agent image.
{{- else if and (include "launch-agent.storageKey" .) (.Values.secretNames).suffix }}
secretNames.suffix is {{ .Values.secretNames.suffix }}, but W&B's own agent reads the storage key from the Secret azure-storage-access-key and no other. Remove the suffix, or set a launch-agent image.
{{- end }}
{{- end }}
{{- if and (eq $flavour "own") (gt (include "launch-agent.replicas" . | int) 1) .Values.kanikoPvcName (eq (include "launch-agent.strategy" .) "Recreate") }}
agent.replicas is {{ include "launch-agent.replicas" . }}, but the claim {{ .Values.kanikoPvcName }} may be one that only one node can mount. Make it ReadWriteMany and set agent.strategy: RollingUpdate, or set agent.replicas: 1.
{{- end }}
{{- if and (eq (toString (.Values.serviceAccount).create) "false") (not (.Values.serviceAccount).name) }}
serviceAccount.create is false and serviceAccount.name is empty. Name the account that the agent works as.
{{- end }}
{{- end -}}

{{- define "launch-agent.refusals.forms" -}}
{{- if regexMatch "@" (include "launch-agent.baseUrl" .) }}
{{- if regexMatch "^[A-Za-z]*:?/*[^/]*@" (include "launch-agent.baseUrl" .) }}
baseUrl holds a user or a password. Remove it: the agent's key is agent.apiKey.
{{- else if not (regexMatch "^https?://[^/\\s]+(/\\S*)?$" (include "launch-agent.baseUrl" .)) }}
baseUrl is not a URL. Write https://<host>, or http://<host>:<port>.
{{- end }}
{{- end }}
{{- range $name, $item := dict "additionalTargetNamespaces" "a-namespace" "additionalEnvVars" "{name: …, value: …}" "additionalSecretEnvVars" "{name: …, value: …}" "sshAuthSecrets" "{name: …, host: …}" }}
{{- if and (kindIs "map" (get $.Values $name)) (get $.Values $name) }}
{{ $name }} is a map. Write a list: `- {{ $item }}`.
{{- end }}
{{- end }}
{{- range $name := list "tolerations" "topologySpreadConstraints" "extraVolumes" "extraVolumeMounts" }}
{{- with get ($.Values.agent | default dict) $name }}
{{- if kindIs "map" . }}
agent.{{ $name }} is a map. Write a list of maps.
{{- end }}
{{- end }}
{{- end }}
{{- range $name := list "ingressFrom" "extraEgress" }}
{{- with get ($.Values.networkPolicy | default dict) $name }}
{{- if kindIs "map" . }}
networkPolicy.{{ $name }} is a map. Write a list of maps.
{{- end }}
{{- end }}
{{- end }}
{{- range $index, $item := .Values.extraObjects }}
{{- $text := tpl (kindIs "string" $item | ternary $item (toYaml $item)) $ }}
{{- $manifest := fromYaml $text }}
{{- if and (trim $text) (or (hasKey $manifest "Error") (not $manifest.apiVersion) (not $manifest.kind)) }}
extraObjects[{{ $index }}] is no manifest: a map, or the text of one, with apiVersion and kind.
{{- end }}
{{- end }}
{{- if kindIs "slice" .Values.additionalEnvVars }}
{{- range $index, $item := .Values.additionalEnvVars }}
{{- if and $item.valueFrom (not (kindIs "invalid" $item.value)) }}
additionalEnvVars[{{ $index }}] ({{ $item.name }}) has both value and valueFrom. Keep one of them.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Kubernetes' limits for labels, which else only the API server would tell, after other objects are made. */}}
{{- define "launch-agent.refusals.labels" -}}
{{- $agent := .Values.agent | default dict -}}
{{- $workload := include "launch-agent.names.workload" . -}}
{{- $labels := $agent.labels | default dict -}}
{{- if and (hasKey $labels "app") (ne (include "launch-agent.text" $labels.app) $workload) }}
agent.labels.app would replace the label that the Deployment selects its pod by (app: {{ $workload }}). Use another label.
{{- end }}
{{- $maps := dict "agent.labels" $labels "agent.nodeSelector" $agent.nodeSelector "podMonitor.labels" (.Values.podMonitor).labels "serviceMonitor.labels" (.Values.serviceMonitor).labels }}
{{- range $where, $map := $maps }}
{{- range $key, $value := $map | default dict }}
{{- $text := include "launch-agent.text" $value }}
{{- if not (regexMatch "^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$" $text) }}
{{- if not (regexMatch (include "launch-agent.placeholder" nil) $text) }}
{{ $where }}: the value of {{ $key }} ({{ $text }}) is no label. Allowed are at most 63 letters, digits, dashes, underscores and dots.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $_ := set $maps "agent.podAnnotations" $agent.podAnnotations }}
{{- $_ := set $maps "serviceAccount.annotations" (.Values.serviceAccount).annotations }}
{{- range $where, $map := $maps }}
{{- range $key, $value := $map | default dict }}
{{- if not (regexMatch "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$" $key) }}
{{ $where }}: {{ $key }} is no name of a label or annotation. Write name or domain/name, the name with at most 63 letters, digits, dashes, underscores and dots.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What lookup sees; nothing where Helm only renders. It needs no right that the installer would not need anyway: get
     on Secrets that the chart makes, or that this release made before. */}}
{{- define "launch-agent.refusals.live" -}}
{{- $home := include "launch-agent.namespace" . -}}
{{- $existing := .Values.existingSecrets | default dict -}}
{{- $made := list -}}
{{- if and (include "launch-agent.gitCredentials" .) (not $existing.gitCreds) -}}
{{- $made = append $made (list (include "launch-agent.names.gitCredentials" .) $home "existingSecrets.gitCreds") -}}
{{- end -}}
{{- if and (include "launch-agent.storageKey" .) (not ($existing.azureStorageAccessKey).name) -}}
{{- range (include "launch-agent.storageKeyNamespaces" . | fromJson).items -}}
{{- $made = append $made (list (include "launch-agent.names.storageKey" $) . "existingSecrets.azureStorageAccessKey.name") -}}
{{- end -}}
{{- end -}}
{{- if .Values.additionalSecretEnvVars -}}
{{- $made = append $made (list (include "launch-agent.names.secretEnvironment" .) $home "existingSecrets.environment") -}}
{{- end -}}
{{- range $made }}
{{- $name := index . 0 }}
{{- $namespace := index . 1 }}
{{- $marks := ((lookup "v1" "Secret" $namespace $name).metadata | default dict).annotations | default dict }}
{{- $owner := get $marks "meta.helm.sh/release-name" }}
{{- $from := get $marks "meta.helm.sh/release-namespace" }}
{{- if and $owner (or (ne $owner $.Release.Name) (ne $from $.Release.Namespace)) }}
The Secret {{ $name }} in the namespace {{ $namespace }} belongs to the release {{ $owner }} in {{ $from }}. Set secretNames.suffix (for example to {{ $.Release.Name }}), or use a Secret of your own: {{ index . 2 }}.
{{- end }}
{{- end }}
{{- if .Release.IsUpgrade -}}
{{ include "launch-agent.refusals.deletion" . }}
{{- end }}
{{- end -}}

{{/* A Secret that this release made and that is now said to be somebody's own: Helm would delete it, under running jobs. */}}
{{- define "launch-agent.refusals.deletion" -}}
{{- $home := include "launch-agent.namespace" . -}}
{{- $existing := .Values.existingSecrets | default dict -}}
{{- $key := include "launch-agent.names.apiKey" . -}}
{{- $kept := dict -}}
{{- if or ($existing.apiKey).name (.Values.agent).useExternalWandbSecret -}}
{{- if include "launch-agent.isOwnSecret" (list . $home $key) -}}
{{- range (include "launch-agent.targetNamespaces" . | fromJson).items -}}
{{- if eq (include "launch-agent.isOwnSecret" (list $ . $key)) "loose" -}}{{- $_ := set $kept (printf "%s/%s" . $key) true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range concat (list $existing.gitCreds ($existing.azureStorageAccessKey).name) ($existing.environment | default list) -}}
{{- if . -}}
{{- if eq (include "launch-agent.isOwnSecret" (list $ $home .)) "loose" -}}{{- $_ := set $kept (printf "%s/%s" $home .) true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- range $place, $_ := $kept }}
{{- $namespace := splitList "/" $place | first }}
{{- $name := splitList "/" $place | last }}
The Secret {{ $name }} in the namespace {{ $namespace }} was made by this release, which would now delete it. Keep it first: kubectl --namespace {{ $namespace }} annotate secret {{ $name }} helm.sh/resource-policy=keep
{{- end }}
{{- end -}}

{{/* Takes (root, namespace, name). "loose": Helm's marks say that the Secret is this release's; "kept": so it is, and a
     keep policy holds it. */}}
{{- define "launch-agent.isOwnSecret" -}}
{{- $root := index . 0 -}}
{{- $marks := ((lookup "v1" "Secret" (index . 1) (index . 2)).metadata | default dict).annotations | default dict -}}
{{- if and (eq (get $marks "meta.helm.sh/release-name") $root.Release.Name) (eq (get $marks "meta.helm.sh/release-namespace") $root.Release.Namespace) -}}
{{- eq (get $marks "helm.sh/resource-policy") "keep" | ternary "kept" "loose" -}}
{{- end -}}
{{- end -}}
