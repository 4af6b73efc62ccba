{{/* A reader of JSON Schema in templates: Helm checks a launchConfig that is a map against values.schema.json, and this
     checks one that is a text against the same rules (files/launch-config.schema.json), in the same words. It knows the
     keywords that occur there and no more; tests say when another occurs, and that map and text are judged alike. */}}

{{/* What the value breaks of the schema, one line a fault; empty when nothing. Takes schema, value (as fromYaml and
     fromJson give them) and at (its JSON pointer). A text with a placeholder in it is passed over: it is named elsewhere. */}}
{{- define "launch-agent.schema.faults" -}}
{{- $out := dict "lines" list -}}
{{- include "launch-agent.schema.walk" (dict "schema" .schema "value" .value "at" .at "out" $out) -}}
{{- $out.lines | join "\n" -}}
{{- end -}}

{{- define "launch-agent.schema.walk" -}}
{{- $kind := get (dict "invalid" "null" "bool" "boolean" "string" "string" "slice" "array" "map" "object") (kindOf .value) | default "number" -}}
{{- $types := kindIs "slice" .schema.type | ternary .schema.type (list .schema.type) -}}
{{- $isNumber := eq $kind "number" -}}
{{- $isWhole := and $isNumber (eq (floor .value) (float64 .value)) -}}
{{- $matches := or (has $kind $types) (and $isWhole (has "integer" $types)) -}}
{{- if and (eq $kind "string") (regexMatch (include "launch-agent.placeholder" nil) (toString .value)) -}}
{{- else if and .schema.type (not $matches) -}}
{{- $wanted := list -}}
{{- range list "null" "boolean" "number" "integer" "string" "array" "object" -}}
{{- if has . $types -}}{{- $wanted = append $wanted . -}}{{- end -}}
{{- end -}}
{{- include "launch-agent.schema.tell" (list . (printf "got %s, want %s" $kind (join " or " $wanted))) -}}
{{- else if and (hasKey .schema "enum") (not (has .value .schema.enum)) -}}
{{- $wanted := list -}}
{{- range .schema.enum -}}
{{- $wanted = append $wanted (kindIs "string" . | ternary (include "launch-agent.schema.quoted" .) (printf "%v" .)) -}}
{{- end -}}
{{- include "launch-agent.schema.tell" (list . (printf "value must be %s%s" (gt (len $wanted) 1 | ternary "one of " "") (join ", " $wanted))) -}}
{{- else if $isNumber -}}
{{- include "launch-agent.schema.number" . -}}
{{- else if eq $kind "string" -}}
{{- include "launch-agent.schema.string" . -}}
{{- else if eq $kind "array" -}}
{{- include "launch-agent.schema.array" . -}}
{{- else if eq $kind "object" -}}
{{- include "launch-agent.schema.object" . -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.schema.number" -}}
{{- if and (hasKey .schema "minimum") (lt (float64 .value) (float64 .schema.minimum)) -}}
{{- include "launch-agent.schema.bound" (list . "minimum" .value) -}}
{{- end -}}
{{- if and (hasKey .schema "maximum") (gt (float64 .value) (float64 .schema.maximum)) -}}
{{- include "launch-agent.schema.bound" (list . "maximum" .value) -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.schema.string" -}}
{{- $length := splitList "" .value | len -}}
{{- if and (hasKey .schema "minLength") (lt $length (int .schema.minLength)) -}}
{{- include "launch-agent.schema.bound" (list . "minLength" $length) -}}
{{- end -}}
{{- if and (hasKey .schema "maxLength") (gt $length (int .schema.maxLength)) -}}
{{- include "launch-agent.schema.bound" (list . "maxLength" $length) -}}
{{- end -}}
{{- if and (hasKey .schema "pattern") (not (regexMatch .schema.pattern .value)) -}}
{{- include "launch-agent.schema.tell" (list . (printf "%s does not match pattern %s" (include "launch-agent.schema.quoted" .value) (include "launch-agent.schema.quoted" .schema.pattern))) -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.schema.array" -}}
{{- $ctx := . -}}
{{- if and (hasKey .schema "minItems") (lt (len .value) (int .schema.minItems)) -}}
{{- include "launch-agent.schema.bound" (list . "minItems" (len .value)) -}}
{{- end -}}
{{- if .schema.uniqueItems -}}
{{- $seen := dict -}}
{{- $repeats := list -}}
{{- range $index, $item := .value -}}
{{- $key := toJson $item -}}
{{- if hasKey $seen $key -}}
{{- $repeats = append $repeats (printf "items at %d and %d are equal" (get $seen $key) $index) -}}
{{- else -}}
{{- $_ := set $seen $key $index -}}
{{- end -}}
{{- end -}}
{{- with first $repeats -}}{{- include "launch-agent.schema.tell" (list $ctx .) -}}{{- end -}}
{{- end -}}
{{- with .schema.items -}}
{{- $schema := . -}}
{{- range $index, $item := $ctx.value -}}
{{- include "launch-agent.schema.walk" (dict "schema" $schema "value" $item "at" (printf "%s/%d" $ctx.at $index) "out" $ctx.out) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "launch-agent.schema.object" -}}
{{- $ctx := . -}}
{{- $value := .value -}}
{{- $known := .schema.properties | default dict -}}
{{- $missing := list -}}
{{- range .schema.required -}}
{{- if not (hasKey $value .) -}}{{- $missing = append $missing (include "launch-agent.schema.quoted" .) -}}{{- end -}}
{{- end -}}
{{- with $missing -}}
{{- include "launch-agent.schema.tell" (list $ctx (printf "missing %s %s" (eq (len .) 1 | ternary "property" "properties") (join ", " .))) -}}
{{- end -}}
{{- range $key, $needed := .schema.dependencies | default dict -}}
{{- if hasKey $value $key -}}
{{- $missing := list -}}
{{- range $needed -}}
{{- if not (hasKey $value .) -}}{{- $missing = append $missing (include "launch-agent.schema.quoted" .) -}}{{- end -}}
{{- end -}}
{{- with $missing -}}
{{- include "launch-agent.schema.tell" (list $ctx (printf "properties %s required, if %s exists" (join ", " .) (include "launch-agent.schema.quoted" $key))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $unknown := list -}}
{{- range $key, $item := $value -}}
{{- $at := printf "%s/%s" $ctx.at ($key | replace "~" "~0" | replace "/" "~1") -}}
{{- if hasKey $known $key -}}
{{- include "launch-agent.schema.walk" (dict "schema" (get $known $key) "value" $item "at" $at "out" $ctx.out) -}}
{{- else if kindIs "map" $ctx.schema.additionalProperties -}}
{{- include "launch-agent.schema.walk" (dict "schema" $ctx.schema.additionalProperties "value" $item "at" $at "out" $ctx.out) -}}
{{- else if and (hasKey $ctx.schema "additionalProperties") (not $ctx.schema.additionalProperties) -}}
{{- $unknown = append $unknown (include "launch-agent.schema.quoted" $key) -}}
{{- end -}}
{{- end -}}
{{- with $unknown -}}
{{- include "launch-agent.schema.tell" (list $ctx (printf "additional properties %s not allowed" (join ", " .))) -}}
{{- end -}}
{{- end -}}

{{/* Takes (where, keyword, what was found). */}}
{{- define "launch-agent.schema.bound" -}}
{{- $ctx := index . 0 -}}
{{- $keyword := index . 1 -}}
{{- $got := include "launch-agent.schema.figure" (index . 2) -}}
{{- $want := include "launch-agent.schema.figure" (get $ctx.schema $keyword) -}}
{{- include "launch-agent.schema.tell" (list $ctx (printf "%s: got %s, want %s" $keyword $got $want)) -}}
{{- end -}}

{{/* Takes (where, words). */}}
{{- define "launch-agent.schema.tell" -}}
{{- $ctx := index . 0 -}}
{{- $line := printf "at %s: %s" (include "launch-agent.schema.quoted" $ctx.at) (index . 1) -}}
{{- $_ := set $ctx.out "lines" (append $ctx.out.lines $line) -}}
{{- end -}}

{{/* A text as Helm's check quotes it. */}}
{{- define "launch-agent.schema.quoted" -}}
{{- $inner := printf "%q" . | trimPrefix "\"" | trimSuffix "\"" | replace "\\\"" "\"" | replace "'" "\\'" -}}
{{- printf "'%s'" $inner -}}
{{- end -}}

{{/* A number as Helm's check writes it: 604,800 and 2×10⁰⁶. */}}
{{- define "launch-agent.schema.figure" -}}
{{- $text := printf "%v" (float64 .) -}}
{{- if contains "e" $text -}}
{{- $power := splitList "e" $text | last | trimPrefix "+" -}}
{{- range $index, $raised := splitList "" "⁰¹²³⁴⁵⁶⁷⁸⁹" -}}{{- $power = replace (toString $index) $raised $power -}}{{- end -}}
{{- printf "%s×10%s" (splitList "e" $text | first) (replace "-" "⁻" $power) -}}
{{- else -}}
{{- $parts := splitList "." $text -}}
{{- $grouped := regexReplaceAll "^(-?[0-9]+)([0-9]{3})$" (first $parts) "${1},${2}" -}}
{{- prepend (rest $parts) $grouped | join "." -}}
{{- end -}}
{{- end -}}
