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

{{/* Image, environment and mounts of a container that holds the agent. */}}
{{- define "launch-agent.container" -}}
image: {{ include "launch-agent.image" . | quote }}
imagePullPolicy: {{ (.Values.agent).imagePullPolicy | default "Always" }}
env:
  {{- (include "launch-agent.environment" . | fromJson).items | toYaml | nindent 2 }}
{{- with include "launch-agent.environmentFrom" . | trim }}
envFrom:
  {{- . | nindent 2 }}
{{- end }}
{{- with (.Values.agent).resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "launch-agent.securityContext" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}
