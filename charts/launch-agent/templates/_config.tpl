{{/* The agent's configuration file. A text loses its common indentation and Windows line ends, and ends with one newline;
     nothing in it is expanded. A map is written as YAML. */}}
{{- define "launch-agent.config" -}}
{{- $value := .Values.launchConfig | default .Values.agentConfig | default "" -}}
{{- if kindIs "string" $value -}}
{{- include "launch-agent.config.text" $value -}}
{{- else -}}
{{- toYaml $value -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.config.text" -}}
{{- $lines := . | replace "\r\n" "\n" | splitList "\n" -}}
{{- $indent := -1 -}}
{{- range $lines -}}
{{- if trim . -}}
{{- $here := sub (len .) (len (trimPrefix (regexFind "^ +" .) .)) | int -}}
{{- if or (lt $indent 0) (lt $here $indent) -}}{{- $indent = $here -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $out := list -}}
{{- range $lines -}}
{{- $out = append $out (trimAll " " . | empty | ternary "" (trimPrefix (repeat (max $indent 0 | int) " ") .)) -}}
{{- end -}}
{{- $out | join "\n" | trimAll "\n" -}}
{{- end -}}

{{/* What is wrong with the configuration, one sentence a line; empty when nothing is. The agent's own schema says more:
     this stops what can't work at all before it replaces an agent that does. */}}
{{- define "launch-agent.config.faults" -}}
{{- $name := empty .Values.launchConfig | ternary "agentConfig" "launchConfig" -}}
{{- $text := include "launch-agent.config" . -}}
{{- $parsed := $text | fromYaml -}}
{{- if and .Values.launchConfig .Values.agentConfig (ne (toYaml .Values.launchConfig) (toYaml .Values.agentConfig)) }}
launchConfig and agentConfig are two spellings of one value and differ. Remove agentConfig.
{{- else if not $text }}
launchConfig is empty. Set it to the agent's configuration (text or map), with at least `queues: [<your queue>]`.
{{- else if hasKey $parsed "Error" }}
{{- if regexMatch "(?m)^ *\t" $text }}
{{ $name }} is indented with a tab, which YAML forbids. Replace tabs by blanks.
{{- else }}
{{ $name }} is not a YAML mapping: {{ $parsed.Error | replace "\n" " " }}.
{{- end }}
{{- else }}
{{- if not $parsed.queues }}
{{ $name }}.queues is empty. Name at least one queue.
{{- end }}
{{- range regexFindAll "<[A-Za-z][^<>\n]*>" (omit $parsed "builder" | toYaml | printf "%s\n%s" (omit ($parsed.builder | default dict) "kaniko-config" | toYaml)) -1 | uniq | sortAlpha }}
{{ $name }} still has the placeholder {{ . }}. Fill it in.
{{- end }}
{{- end }}
{{- end -}}
