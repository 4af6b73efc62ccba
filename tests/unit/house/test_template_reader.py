"""The reader of templates that the chart's contract rests on."""

import pytest

from tests.support.templates import Reader

CASES = [
    ("{{ .Values.a.b }}", {"a.b"}),
    ('{{/* .Values.no */}}{{ printf "{{ .Values.no }}" .Values.a | quote }}', {"a"}),
    ("{{ ((.Values.a).b).c }}", {"a", "a.b", "a.b.c"}),
    (
        "{{ with .Values.a }}{{ .b }}{{ $.Values.c }}{{ else }}{{ .Values.d }}{{ end }}{{ .Values.e }}",
        {"a", "a.b", "c", "d", "e"},
    ),
    (
        "{{ $x := .Values.a | default dict }}{{ $x.b }}{{ if $x.c }}{{ $x = .Values.d }}{{ end }}{{ $x.e }}",
        {"a", "a.b", "a.c", "d", "d.e"},
    ),
    ("{{ range $i, $v := .Values.a }}{{ $v.b }}{{ .c }}{{ end }}", {"a", "a[].b", "a[].c"}),
    ("{{ range .Values.a }}{{ range .b }}{{ .c }}{{ end }}{{ end }}", {"a", "a[].b", "a[].b[].c"}),
    ("{{ set $x .Values.a (index . 0).Values.b }}", {"a", "b"}),
    (
        "{{ if not .Values.a }}{{ else if and .Values.b (eq .Values.c 1) }}{{ else with .Values.d }}{{ .e }}{{ end }}",
        {"a", "b", "c", "d", "d.e"},
    ),
    ('{{ define "x" }}{{ .Values.a }}{{ end }}{{ .Release.Name }}{{ .Chart.Name }}', {"a"}),
    ("{{- with .Values.a | quote -}}{{ .b }}{{- end -}}", {"a"}),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_reads_are_followed_through_dots_variables_and_blocks(text: str, wanted: set[str]) -> None:
    assert Reader(text).reads == wanted
