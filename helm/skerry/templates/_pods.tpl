{{- /* What the pods of api, maps, dashboards, worker and migrations have alike. */ -}}

{{- /* The restricted pod security standard, and a group that may write the pod's own volumes. */ -}}
{{- define "skerry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "skerry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Where a pod goes: replicas apart from each other, and what the values say. Takes: root, part, values. */ -}}
{{- define "skerry.placement" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "skerry.selector" (dict "root" $.root "part" $.part) | nindent 8 }}
  {{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "skerry.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* A variable from a Secret. Takes: name, secret, key. */ -}}
{{- define "skerry.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}
{{- end -}}

{{- /* Variables of every part. */ -}}
{{- define "skerry.commonVariables" -}}
- {name: TZ, value: UTC}
- {name: HOME, value: /tmp}
- {name: PYTHONUNBUFFERED, value: "1"}
- {name: SKERRY_DATA, value: /data/skerry}
- {name: SKERRY_PUBLIC_URL, value: {{ .Values.publicUrl | trimSuffix "/" | quote }}}
- {name: SKERRY_INTERNAL_URL, value: {{ include "skerry.internalUrl" . | quote }}}
- {name: SKERRY_LOG_FORMAT, value: {{ .Values.logs.format }}}
- {name: SKERRY_ISOLATION, value: pod}
- {name: SKERRY_SELF_APPROVAL, value: {{ ternary "off" "on" .Values.people.many | quote }}}
{{- end -}}

{{- /* Variables of those who open the database. */ -}}
{{- define "skerry.databaseVariables" -}}
{{- $secret := splitList " " (include "skerry.databaseSecret" .) -}}
{{ include "skerry.secretVariable" (dict "name" "SKERRY_DATABASE_URL" "secret" (first $secret) "key" (last $secret)) }}
{{- end -}}

{{- /* Variables of those who open the bucket. */ -}}
{{- define "skerry.objectsVariables" -}}
- {name: SKERRY_OBJECTS, value: {{ include "skerry.objectsPlace" . | quote }}}
- {name: SKERRY_GRANTS, value: {{ .Values.objects.grants }}}
- {name: AWS_REGION, value: {{ .Values.objects.region | quote }}}
{{- with include "skerry.objectsEndpoint" . }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.objects.roleArn }}
- {name: AWS_ROLE_ARN, value: {{ . | quote }}}
{{- end }}
{{- with include "skerry.objectsSecret" . }}
{{ include "skerry.secretVariable" (dict "name" "AWS_ACCESS_KEY_ID" "secret" . "key" $.Values.objects.secret.accessKey) }}
{{ include "skerry.secretVariable" (dict "name" "AWS_SECRET_ACCESS_KEY" "secret" . "key" $.Values.objects.secret.secretKey) }}
{{- end }}
{{- end -}}

{{- /* Variables of a part that answers over HTTP, with those that JupyterHub gives its services. Takes: root, part. */ -}}
{{- define "skerry.serviceVariables" -}}
{{- $public := .root.Values.publicUrl | trimSuffix "/" -}}
{{- $prefix := printf "/services/%s/" .part -}}
{{- $scopes := list "access:services" (printf "access:services!service=%s" .part) | toJson -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- {name: SKERRY_SERVICE_PORT, value: "8000"}
- {name: SKERRY_LISTEN_HOST, value: {{ .root.Values.network.listenHost | quote }}}
- name: SKERRY_ALLOWED_HOSTS # what probes, Prometheus and other pods call it
  value: "$(POD_IP),skerry-{{ .part }},skerry-{{ .part }}.{{ .root.Release.Namespace }}.svc,{{ (urlParse (include "skerry.internalUrl" .root)).host }}"
- {name: SKERRY_WAIT_FOR_STATE, value: "on"}
- {name: JUPYTERHUB_SERVICE_NAME, value: {{ .part }}}
- {name: JUPYTERHUB_API_URL, value: "http://hub:8081/hub/api"}
- {name: JUPYTERHUB_BASE_URL, value: /}
- {name: JUPYTERHUB_HOST, value: {{ if .root.Values.people.many }}{{ $public | quote }}{{ else }}""{{ end }}}
- {name: JUPYTERHUB_PUBLIC_HUB_URL, value: "{{ $public }}/hub/"}
- {name: JUPYTERHUB_PUBLIC_URL, value: "{{ $public }}{{ $prefix }}"}
- {name: JUPYTERHUB_SERVICE_PREFIX, value: {{ $prefix }}}
- {name: JUPYTERHUB_SERVICE_URL, value: "http://skerry-{{ .part }}:8000"}
- {name: JUPYTERHUB_CLIENT_ID, value: service-{{ .part }}}
- {name: JUPYTERHUB_OAUTH_CALLBACK_URL, value: {{ $prefix }}oauth_callback}
- {name: JUPYTERHUB_OAUTH_ACCESS_SCOPES, value: {{ $scopes | quote }}}
- {name: JUPYTERHUB_OAUTH_SCOPES, value: {{ $scopes | quote }}}
- {name: JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES, value: "[]"}
{{ include "skerry.secretVariable" (dict "name" "JUPYTERHUB_API_TOKEN" "secret" "skerry-tokens" "key" .part) }}
{{ include "skerry.secretVariable" (dict "name" "SKERRY_METRICS_TOKEN" "secret" "skerry-tokens" "key" "prometheus") }}
{{- end -}}

{{- /* Variables of those who use the Dask gateway. */ -}}
{{- define "skerry.gatewayVariables" -}}
{{- if (index .Values "dask-gateway").enabled }}
- {name: DASK_GATEWAY__ADDRESS, value: "{{ include "skerry.internalUrl" . }}/services/dask-gateway"}
- {name: DASK_GATEWAY__PROXY_ADDRESS, value: "gateway://traefik-dask-gateway.{{ .Release.Namespace }}.svc:80"}
- {name: DASK_GATEWAY__AUTH__TYPE, value: jupyterhub}
- {name: SKERRY_GATEWAY_ADDRESS, value: "http://api-dask-gateway:8000"}
{{- end }}
{{- end -}}

{{- /* Liveness: it answers. Readiness: it can work, and the answer says why not. Takes: part, ready. */ -}}
{{- define "skerry.probes" -}}
startupProbe:
  httpGet: {path: /services/{{ .part }}/health, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /services/{{ .part }}/health, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /services/{{ .part }}/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{- /* The folders that a container may write. */ -}}
{{- define "skerry.mounts" -}}
- {name: data, mountPath: /data}
- {name: temporary, mountPath: /tmp}
{{- if .Values.certificates.authorities }}
- {name: certificates, mountPath: /etc/skerry/certificates, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Who else may say who a machine client is: for the parts that check tokens. */ -}}
{{- define "skerry.issuersVariables" -}}
{{- if .Values.signOn.trustedIssuers }}
- {name: SKERRY_TRUSTED_ISSUERS, value: /etc/skerry/issuers/issuers.json}
{{- end }}
{{- end -}}

{{- define "skerry.issuersMounts" -}}
{{- if .Values.signOn.trustedIssuers }}
- {name: issuers, mountPath: /etc/skerry/issuers, readOnly: true}
{{- end }}
{{- end -}}

{{- define "skerry.issuersVolumes" -}}
{{- if .Values.signOn.trustedIssuers }}
- name: issuers
  configMap: {name: skerry-trusted-issuers}
{{- end }}
{{- end -}}

{{- /* Takes: root, values (with `scratch`), certificates (the name of their ConfigMap, if it is another). */ -}}
{{- define "skerry.volumes" -}}
- name: data
  emptyDir: {sizeLimit: {{ .values.scratch | default "1Gi" }}}
- name: temporary
  emptyDir: {sizeLimit: {{ .values.scratch | default "1Gi" }}}
{{- if .root.Values.certificates.authorities }}
- name: certificates
  configMap: {name: {{ .certificates | default "skerry-certificates" }}}
{{- end }}
{{- end -}}

{{- define "skerry.certificateVariables" -}}
{{- if .Values.certificates.authorities }}
- {name: AWS_CA_BUNDLE, value: /etc/skerry/certificates/ca.crt}
- {name: SSL_CERT_FILE, value: /etc/skerry/certificates/ca.crt}
{{- end }}
{{- end -}}

{{- /* In which images runs take place: the platform's, and those of other environments. */ -}}
{{- define "skerry.imageVariables" -}}
{{- $environments := dict -}}
{{- range .Values.servers.images -}}
{{- if .environment }}{{ $_ := set $environments .environment .image }}{{ end -}}
{{- end -}}
- {name: SKERRY_JOBS_IMAGE, value: {{ include "skerry.pinnedImage" . | quote }}}
{{- with $environments }}
- {name: SKERRY_JOBS_IMAGES, value: {{ toJson . | quote }}}
{{- end }}
{{- end -}}
