{{/* The root is read-only: the home and /tmp are the two places to write, and both end with the pod. */}}
{{- define "launch-agent.volumes" -}}
{{- if eq (include "launch-agent.flavour" .) "own" }}
- name: home
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- end }}
- name: config
  configMap:
    name: {{ include "launch-agent.names.config" . }}
    items:
      - key: launch-config.yaml
        path: launch-config.yaml
{{- if include "launch-agent.hasBundle" . }}
- name: ca
  configMap:
    name: {{ .Values.customCABundle.configMap.name | quote }}
    items:
      - key: {{ .Values.customCABundle.configMap.key | quote }}
        path: bundle.pem
{{- end }}
{{- if (.Values.existingSecrets).gitCreds }}
- name: git
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "launch-agent.names.gitCredentials" . | quote }}
          items:
            - key: .git-credentials
              path: .git-credentials
      - configMap:
          name: {{ include "launch-agent.names.config" . }}
          items:
            - key: gitconfig
              path: .gitconfig
{{- else if include "launch-agent.gitCredentials" . }}
- name: git
  secret:
    secretName: {{ include "launch-agent.names.gitCredentials" . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.sshAuthSecrets }}
- name: ssh-config
  configMap:
    name: {{ include "launch-agent.names.sshConfig" $ }}
- name: ssh-keys
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .name | quote }}
          items:
            - key: ssh-privatekey
              path: {{ printf "%s/ssh-privatekey" .name | quote }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* Apart, because the pod of `helm test` must not hold a claim that only one node can mount. */}}
{{- define "launch-agent.volumes.kaniko" -}}
{{- with .Values.kanikoPvcName }}
- name: kaniko
  persistentVolumeClaim:
    claimName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "launch-agent.volumeMounts" -}}
{{- if eq (include "launch-agent.flavour" .) "own" }}
- name: home
  mountPath: /home/launch_agent
- name: tmp
  mountPath: /tmp
{{- end }}
- name: config
  mountPath: /home/launch_agent/.config/wandb
  readOnly: true
{{- if include "launch-agent.hasBundle" . }}
- name: ca
  mountPath: /etc/launch-agent/ca
  readOnly: true
{{- end }}
{{- if or (.Values.existingSecrets).gitCreds (include "launch-agent.gitCredentials" .) }}
- name: git
  mountPath: /home/launch_agent/.git-credentials
  subPath: .git-credentials
  readOnly: true
- name: git
  mountPath: /home/launch_agent/.gitconfig
  subPath: .gitconfig
  readOnly: true
{{- end }}
{{- if .Values.sshAuthSecrets }}
- name: ssh-config
  mountPath: /home/launch_agent/.ssh
  readOnly: true
- name: ssh-keys
  mountPath: /etc/launch-agent/ssh
  readOnly: true
{{- end }}
{{- end -}}

{{- define "launch-agent.volumeMounts.kaniko" -}}
{{- if .Values.kanikoPvcName }}
- name: kaniko
  mountPath: /home/launch_agent/kaniko
{{- end }}
{{- end -}}
