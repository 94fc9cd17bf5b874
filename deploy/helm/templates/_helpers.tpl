{{- define "watchofficer.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end -}}

{{- define "watchofficer.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watchofficer.labels" -}}
{{ include "watchofficer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "watchofficer.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}{{ if not (hasPrefix "@" $tag) }}:{{ end }}{{ $tag }}
{{- end -}}

{{/* What workers and the guard have in common. Takes root, args, resources, component. */}}
{{- define "watchofficer.pod" -}}
{{- $root := .root -}}
{{- $tls := $root.Values.tls.existingSecret -}}
{{- $scheme := ternary "HTTPS" "HTTP" (not (empty $tls)) -}}
serviceAccountName: {{ include "watchofficer.name" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 30
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: {{ .component }}
    image: {{ include "watchofficer.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    securityContext:
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL]}
    env:
      - {name: WATCHOFFICER_BIND, value: "0.0.0.0"}
      - {name: WATCHOFFICER_PORT, value: "6066"}
      - {name: WATCHOFFICER_LOG_FORMAT, value: json}
      {{- range $name, $value := omit $root.Values.settings "BIND" "PORT" "LOG_FORMAT" }}
      - {name: WATCHOFFICER_{{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- range $root.Values.secrets.keys }}
      - {name: WATCHOFFICER_{{ . }}_FILE, value: /run/secrets/watchofficer/{{ . }}}
      {{- end }}
      {{- if $tls }}
      - {name: WATCHOFFICER_HTTP_TLS__CERT_FILE, value: /run/tls/watchofficer/tls.crt}
      - {name: WATCHOFFICER_HTTP_TLS__KEY_FILE, value: /run/tls/watchofficer/tls.key}
      {{- end }}
      {{- if $root.Values.policy }}
      - {name: WATCHOFFICER_POLICY, value: /etc/watchofficer/policy.yaml}
      {{- end }}
    ports:
      - {name: http, containerPort: 6066}
    # A start reads back hours of segments: it has five minutes.
    startupProbe:
      httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
      periodSeconds: 5
      failureThreshold: 60
    # Answers 503 only when the process stands still, never because a broker is away: a restart would not help that.
    livenessProbe:
      httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
      periodSeconds: 5
      timeoutSeconds: 5
    resources: {{- toYaml .resources | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $root.Values.secrets.existingSecret }}
      - {name: secrets, mountPath: /run/secrets/watchofficer, readOnly: true}
      {{- end }}
      {{- if $tls }}
      - {name: tls, mountPath: /run/tls/watchofficer, readOnly: true}
      {{- end }}
      {{- if $root.Values.policy }}
      - {name: policy, mountPath: /etc/watchofficer, readOnly: true}
      {{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 1Gi}
  {{- if $root.Values.secrets.existingSecret }}
  - name: secrets
    secret: {secretName: {{ $root.Values.secrets.existingSecret }}, defaultMode: 0440}
  {{- end }}
  {{- if $tls }}
  - name: tls
    secret: {secretName: {{ $tls }}, defaultMode: 0440}
  {{- end }}
  {{- if $root.Values.policy }}
  - name: policy
    configMap: {name: {{ include "watchofficer.name" $root }}-policy}
  {{- end }}
{{- end -}}
