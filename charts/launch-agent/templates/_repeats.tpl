{{/* Repeated variables, written by W&B's chart with Helm 3. Helm's patch removes every copy of a name when a manifest holds
     fewer copies than the one before, and changes only the first when the number is the same. So on an upgrade a name that
     is, or may be, repeated in the running Deployment is
       kept    when number and last value are wanted as they are: as many copies, all of them with the last value (Helm
               pairs the copies of two lists in any order, so unequal ones could be exchanged), or
       moved   into a Secret that the container reads whole (envFrom), when they are not: all copies go, the value stays.
     The upgrade after that writes a moved name as any other. What may be repeated: what is in the running Deployment, and
     what W&B's chart would have written from these values while the release before is not known to be this chart's. */}}

{{/* {"live": name → list of entries, "moved": names, "isOurs": whether this chart rendered the running Deployment}. */}}
{{- define "launch-agent.repeats.seen" -}}
{{- $live := dict -}}
{{- $moved := list -}}
{{- $isOurs := true -}}
{{- if .Release.IsUpgrade -}}
{{- with lookup "apps/v1" "Deployment" (include "launch-agent.namespace" .) (include "launch-agent.names.workload" .) -}}
{{- range .spec.template.spec.containers -}}
{{- if eq .name "launch-agent" -}}
{{- range .env -}}{{- $_ := set $live .name (append (get $live .name | default list) .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $isOurs = eq (get (.metadata.labels | default dict) "app.kubernetes.io/component") "agent" -}}
{{- with get (.metadata.annotations | default dict) "launch-agent/moved-variables" -}}{{- $moved = splitList "," . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "live" $live "moved" $moved "isOurs" $isOurs | toJson -}}
{{- end -}}

{{/* Whether Helm will compare with a manifest of this chart: an upgrade that failed leaves the one before it in force. Read
     only where it matters, as Helm may keep its releases elsewhere than in Secrets. */}}
{{- define "launch-agent.repeats.isSettled" -}}
{{- $name := printf "sh.helm.release.v1.%s.v%d" .Release.Name (sub (int .Release.Revision) 1) -}}
{{- $before := lookup "v1" "Secret" .Release.Namespace $name | default dict -}}
{{- if eq (get (($before.metadata).labels | default dict) "status") "deployed" -}}true{{- end -}}
{{- end -}}

{{/* {"items": the container's variables, "kept": names, "moved": name → entry}. */}}
{{- define "launch-agent.repeats" -}}
{{- $seen := include "launch-agent.repeats.seen" . | fromJson -}}
{{- $wanted := dict -}}
{{- $order := list -}}
{{- range (include "launch-agent.environment.all" . | fromJson).items -}}
{{- if not (hasKey $wanted .name) -}}{{- $order = append $order .name -}}{{- end -}}
{{- $_ := set $wanted .name (append (get $wanted .name | default list) .) -}}
{{- end -}}
{{- $doubtful := list -}}
{{- if .Release.IsUpgrade -}}
{{- range $order -}}
{{- if or (gt (len (get $wanted .)) 1) (has . $seen.moved) -}}{{- $doubtful = append $doubtful . -}}{{- end -}}
{{- end -}}
{{- if and $doubtful (or (not $seen.live) (and $seen.isOurs (include "launch-agent.repeats.isSettled" .))) -}}{{- $doubtful = list -}}{{- end -}}
{{- end -}}
{{- $items := list -}}
{{- $kept := list -}}
{{- $moved := dict -}}
{{- range $name := $order -}}
{{- $new := get $wanted $name -}}
{{- $old := get $seen.live $name | default list -}}
{{- if and (gt (len $old) 1) (eq (len $old) (len $new)) (eq (include "launch-agent.repeats.value" (last $old)) (include "launch-agent.repeats.value" (last $new))) -}}
{{- range $old -}}{{- $items = append $items (last $new) -}}{{- end -}}
{{- $kept = append $kept $name -}}
{{- else if or (gt (len $old) 1) (has $name $doubtful) -}}
{{- $_ := set $moved $name (last $new) -}}
{{- else -}}
{{- $items = append $items (last $new) -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items "kept" $kept "moved" $moved | toJson -}}
{{- end -}}

{{- define "launch-agent.repeats.value" -}}
{{- dict "value" (.value | default "") "valueFrom" .valueFrom | toJson -}}
{{- end -}}

{{/* The moved variables' values, in JSON: name → text. A reference is resolved from the values; one that can't be is missing. */}}
{{- define "launch-agent.repeats.moved" -}}
{{- $ := . -}}
{{- $values := dict -}}
{{- range $name, $entry := (include "launch-agent.repeats" . | fromJson).moved -}}
{{- $secret := ($entry.valueFrom).secretKeyRef | default dict -}}
{{- $config := ($entry.valueFrom).configMapKeyRef | default dict -}}
{{- if not $entry.valueFrom -}}
{{- $_ := set $values $name ($entry.value | default "") -}}
{{- else if and (eq ($config.name | default "") (include "launch-agent.names.config" $)) (eq $config.key "wandb-base-url") -}}
{{- $_ := set $values $name (include "launch-agent.baseUrl" $) -}}
{{- else if and (eq ($secret.name | default "") (include "launch-agent.names.secretEnvironment" $)) (eq $secret.key $name) -}}
{{- range $.Values.additionalSecretEnvVars -}}{{- if eq .name $name -}}{{- $_ := set $values $name (include "launch-agent.text" .value) -}}{{- end -}}{{- end -}}
{{- else if and (eq ($secret.name | default "") (include "launch-agent.names.apiKey" $)) (include "launch-agent.apiKey" $) -}}
{{- $_ := set $values $name (include "launch-agent.apiKey" $) -}}
{{- else if eq (($entry.valueFrom.fieldRef).fieldPath | default "") "metadata.namespace" -}}
{{- $_ := set $values $name (include "launch-agent.namespace" $) -}}
{{- end -}}
{{- end -}}
{{- toJson $values -}}
{{- end -}}

{{- define "launch-agent.repeats.faults" -}}
{{- $values := include "launch-agent.repeats.moved" . | fromJson -}}
{{- range $name, $entry := (include "launch-agent.repeats" . | fromJson).moved }}
{{- if not (hasKey $values $name) }}
The variable {{ $name }} stands twice in the running Deployment, and Helm can't turn it into a reference. Delete the Deployment {{ include "launch-agent.names.workload" $ }} (running jobs go on) and upgrade again.
{{- end }}
{{- end }}
{{- end -}}
