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

{{/* The configuration as a map, whichever way it is written. {"Error": …} where a text is no mapping. */}}
{{- define "launch-agent.config.parsed" -}}
{{- kindIs "string" . | ternary (include "launch-agent.config.text" (kindIs "string" . | ternary . "")) (toYaml .) | fromYaml | toJson -}}
{{- end -}}

{{/* launchConfig or agentConfig: the one that counts. */}}
{{- define "launch-agent.config.name" -}}
{{- empty .Values.launchConfig | ternary (empty .Values.agentConfig | ternary "launchConfig" "agentConfig") "launchConfig" -}}
{{- end -}}

{{/* What is wrong with the configuration, one sentence a line; empty when nothing is. */}}
{{- define "launch-agent.config.faults" -}}
{{- $name := include "launch-agent.config.name" . -}}
{{- $value := get .Values $name -}}
{{- $text := include "launch-agent.config" . -}}
{{- $parsed := include "launch-agent.config.parsed" $value | fromJson -}}
{{- if and .Values.launchConfig .Values.agentConfig (ne (toJson $parsed) (include "launch-agent.config.parsed" .Values.agentConfig)) }}
launchConfig and agentConfig are two spellings of one value and differ. Remove agentConfig.
{{- end }}
{{- if not $value }}
launchConfig is empty. Set it to the agent's configuration (text or map), with at least `queues: [<your queue>]`.
{{- else if and (kindIs "string" $value) (hasKey $parsed "Error") }}
{{- if regexMatch "(?m)^ *\t" $text }}
{{ $name }} is indented with a tab, which YAML forbids. Replace tabs by blanks.
{{- else if regexMatch "cannot unmarshal (array|string|number|bool)" $parsed.Error }}
{{ $name }} is not a YAML mapping: it holds {{ regexReplaceAll ".*cannot unmarshal ([a-z]+) .*" $parsed.Error "${1}" | replace "array" "a list" | replace "string" "a text" | replace "number" "a number" | replace "bool" "true or false" }}. Write `queues: [<your queue>]`, each key on a line of its own.
{{- else }}
{{ $name }} is not a YAML mapping: {{ $parsed.Error | replace "\n" " " }}.
{{- end }}
{{- range regexFindAll (include "launch-agent.placeholder" .) $text -1 | uniq }}
{{ $name }} still has the placeholder {{ . }}. Fill it in.
{{- end }}
{{- else }}
{{- if kindIs "string" $value }}
{{ include "launch-agent.schema.faults" (dict "schema" (.Files.Get "files/launch-config.schema.json" | fromJson) "value" $parsed "at" (printf "/%s" $name)) }}
{{- end }}
{{- if not (or $parsed.queues $parsed.queue) }}
{{ $name }}.queues is empty. Name at least one queue.
{{- end }}
{{- if eq (include "launch-agent.flavour" .) "wandb" }}
{{- range list "image_pull_grace" "poll_interval" "launch_concurrency" "records" "macro_environment" "queue" }}
{{- if hasKey $parsed . }}
{{ $name }}.{{ . }} is a key that W&B's own agent refuses. Remove it, or set agent.image to a launch-agent image.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What stands in pages of documentation for a value of your own: <queue name>. */}}
{{- define "launch-agent.placeholder" -}}
<[A-Za-z][^<>\n]*>
{{- end -}}

{{/* The placeholders that were left in, one sentence a line. Where a text may mean `<…>` itself (annotations of the pod,
     variables), only one that is nothing else counts; of a secret nothing is printed. */}}
{{- define "launch-agent.placeholders" -}}
{{- $agent := .Values.agent | default dict -}}
{{- $out := dict "lines" list -}}
{{- $rest := dict "agent" (omit $agent "apiKey" "podAnnotations") -}}
{{- range list "namespace" "namespaceOverride" "additionalTargetNamespaces" "baseUrl" "sshAuthSecrets" "sshKnownHosts" "existingSecrets" "secretNames" "serviceAccount" "rbac" "customCABundle" "kanikoPvcName" "kanikoDockerConfigSecret" "networkPolicy" "podMonitor" "serviceMonitor" -}}
{{- $_ := set $rest . (get $.Values .) -}}
{{- end -}}
{{- $name := include "launch-agent.config.name" . -}}
{{- $config := get .Values $name -}}
{{- if $config -}}
{{- $parsed := include "launch-agent.config.parsed" $config | fromJson -}}
{{- if kindIs "map" $parsed.builder -}}{{- $_ := set $parsed "builder" (omit $parsed.builder "kaniko-config") -}}{{- end -}}
{{- if not (and (kindIs "string" $config) (hasKey $parsed "Error")) -}}{{- $_ := set $rest $name $parsed -}}{{- end -}}
{{- end -}}
{{- include "launch-agent.placeholders.walk" (dict "value" $rest "at" "" "out" $out "how" "anywhere") -}}
{{- $free := dict "agent" (dict "podAnnotations" $agent.podAnnotations) "additionalEnvVars" .Values.additionalEnvVars -}}
{{- include "launch-agent.placeholders.walk" (dict "value" $free "at" "" "out" $out "how" "alone") -}}
{{- $secret := dict "gitCreds" .Values.gitCreds "azureStorageAccessKey" .Values.azureStorageAccessKey -}}
{{- include "launch-agent.placeholders.walk" (dict "value" $secret "at" "" "out" $out "how" "secret") -}}
{{- include "launch-agent.placeholders.walk" (dict "value" .Values.additionalSecretEnvVars "at" "additionalSecretEnvVars" "out" $out "how" "secret alone") -}}
{{- $out.lines | join "\n" -}}
{{- end -}}

{{- define "launch-agent.placeholders.walk" -}}
{{- $ctx := . -}}
{{- if kindIs "map" .value -}}
{{- range $key, $item := .value -}}
{{- $step := regexMatch "^[A-Za-z_][A-Za-z0-9_-]*$" $key | ternary (printf ".%s" $key) (printf "[%q]" $key) -}}
{{- include "launch-agent.placeholders.walk" (dict "value" $item "at" (printf "%s%s" $ctx.at $step | trimPrefix ".") "out" $ctx.out "how" $ctx.how) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $item := .value -}}
{{- include "launch-agent.placeholders.walk" (dict "value" $item "at" (printf "%s[%d]" $ctx.at $index) "out" $ctx.out "how" $ctx.how) -}}
{{- end -}}
{{- else if kindIs "string" .value -}}
{{- $pattern := include "launch-agent.placeholder" nil -}}
{{- $pattern = contains "alone" .how | ternary (printf "^\\s*%s\\s*$" $pattern) $pattern -}}
{{- range regexFindAll $pattern (toString .value) -1 | uniq -}}
{{- $what := contains "secret" $ctx.how | ternary "a placeholder" (printf "the placeholder %s" (trim .)) -}}
{{- $_ := set $ctx.out "lines" (append $ctx.out.lines (printf "%s still has %s. Fill it in." $ctx.at $what) | uniq) -}}
{{- end -}}
{{- end -}}
{{- end -}}
