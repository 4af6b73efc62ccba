{{/* What the agent's pod and the pod of `helm test` have in common. */}}
{{- define "launch-agent.podSecurityContext" -}}
{{- $usual := dict "runAsNonRoot" true "runAsUser" 1000 "runAsGroup" 1000 "fsGroup" 1000 "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- include "launch-agent.merged" (list $usual (.Values.agent).podSecurityContext) | fromJson | toYaml -}}
{{- end -}}

{{/* W&B's agent writes into its home and wherever its libraries like: no read-only root for it. */}}
{{- define "launch-agent.securityContext" -}}
{{- $usual := dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL")) -}}
{{- if eq (include "launch-agent.flavour" .) "own" -}}{{- $_ := set $usual "readOnlyRootFilesystem" true -}}{{- end -}}
{{- include "launch-agent.merged" (list $usual (.Values.agent).securityContext) | fromJson | toYaml -}}
{{- end -}}

{{- define "launch-agent.livenessProbe" -}}
{{- $usual := dict "httpGet" (dict "path" "/healthz" "port" "http") "initialDelaySeconds" 5 "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6 -}}
{{- include "launch-agent.merged" (list $usual (.Values.agent).livenessProbe) | fromJson | toYaml -}}
{{- end -}}

{{- define "launch-agent.readinessProbe" -}}
{{- $usual := dict "httpGet" (dict "path" "/readyz" "port" "http") "periodSeconds" 5 "timeoutSeconds" 5 "failureThreshold" 3 -}}
{{- include "launch-agent.merged" (list $usual (.Values.agent).readinessProbe) | fromJson | toYaml -}}
{{- end -}}

{{- define "launch-agent.imagePullSecrets" -}}
{{- range (.Values.agent).imagePullSecrets }}
- name: {{ kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") . | quote }}
{{- end }}
{{- end -}}

{{/* A container that holds the agent, with an environment in which each name stands once. */}}
{{- define "launch-agent.container" -}}
{{ include "launch-agent.container.rest" . }}
env:
  {{- (include "launch-agent.environment" . | fromJson).items | toYaml | nindent 2 }}
{{- with include "launch-agent.environmentFrom" . | trim }}
envFrom:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The Deployment's own container: variables that are kept repeated, or moved, for this upgrade (_repeats.tpl). */}}
{{- define "launch-agent.container.agent" -}}
{{- $repeats := include "launch-agent.repeats" . | fromJson -}}
{{ include "launch-agent.container.rest" . }}
env:
  {{- $repeats.items | toYaml | nindent 2 }}
{{- $from := include "launch-agent.environmentFrom" . | trim }}
{{- if or $repeats.moved $from }}
envFrom:
  {{- if $repeats.moved }}
  - secretRef:
      name: {{ include "launch-agent.names.movedVariables" . }}
  {{- end }}
  {{- with $from }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "launch-agent.container.rest" -}}
image: {{ include "launch-agent.image" . | quote }}
imagePullPolicy: {{ (.Values.agent).imagePullPolicy | default "Always" }}
{{- with (.Values.agent).resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "launch-agent.securityContext" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}
