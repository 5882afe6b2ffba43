{{- /* Rules of NetworkPolicies. Each is one item of `to` or `from` lists, or a whole rule. */ -}}

{{- /* Private addresses and those where clouds hand out credentials: open to nobody in general. */ -}}
{{- define "skerry.closedAddresses" -}}
- 10.0.0.0/8
- 172.16.0.0/12
- 192.168.0.0/16
- 100.64.0.0/10
- 169.254.0.0/16
- 168.63.129.16/32 # public by its number, but on Azure each node's own
- 192.0.0.0/24
{{- range .Values.network.closed }}
- {{ . }}
{{- end }}
{{- end -}}

{{- define "skerry.toDns" -}}
- to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .Values.network.dnsNamespace }}}}
    {{- range .Values.network.dnsAddresses }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{- define "skerry.toInternet" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: {{- include "skerry.closedAddresses" . | nindent 10 }}
{{- end -}}

{{- /* The sign-on provider: on the internet, or where the values say. */ -}}
{{- define "skerry.toProvider" -}}
- to:
    {{- range .Values.signOn.addresses }}
    - ipBlock: {cidr: {{ . }}}
    {{- else }}
    - ipBlock:
        cidr: 0.0.0.0/0
        except: {{- include "skerry.closedAddresses" . | nindent 10 }}
    {{- end }}
  ports: [{port: 443}, {port: 80}, {port: 8443}]
{{- end -}}

{{- define "skerry.toKubernetes" -}}
- to:
    {{- range .Values.network.kubernetes }}
    - ipBlock: {cidr: {{ . }}{{ if eq . "0.0.0.0/0" }}, except: [169.254.0.0/16]{{ end }}}
    {{- end }}
  ports:
    - {port: 443, protocol: TCP}
    - {port: 6443, protocol: TCP}
{{- end -}}

{{- define "skerry.toDatabase" -}}
- to:
    {{- if .Values.database.inCluster.enabled }}
    - podSelector: {matchLabels: {{ include "skerry.selectorInLine" (dict "root" . "part" "database") }}}
    {{- else }}
    {{- range .Values.database.addresses }}
    - ipBlock: {cidr: {{ . }}{{ if eq . "0.0.0.0/0" }}, except: [169.254.0.0/16]{{ end }}}
    {{- end }}
    {{- end }}
  ports:
    - {port: {{ .Values.database.port }}, protocol: TCP}
{{- end -}}

{{- /* The object store, for parts and for those who work under a grant. Takes: root, inside (this namespace?). */ -}}
{{- define "skerry.toObjects" -}}
- to:
    {{- if .root.Values.objects.inCluster.enabled }}
    - podSelector:
        matchLabels: {{- include "skerry.selector" (dict "root" .root "part" "objects") | nindent 10 }}
      {{- if not .inside }}
      namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .root.Release.Namespace }}}}
      {{- end }}
  ports:
    - {port: {{ .root.Values.objects.inCluster.port }}, protocol: TCP}
    {{- else }}
    {{- range .root.Values.objects.addresses }}
    - ipBlock: {cidr: {{ . }}}
    {{- else }}
    - ipBlock:
        cidr: 0.0.0.0/0
        except: {{- include "skerry.closedAddresses" .root | nindent 10 }}
    {{- end }}
  ports:
    - {port: {{ .root.Values.objects.port }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{- define "skerry.podsOf" -}}
podSelector: {matchLabels: {{ include "skerry.selectorInLine" (dict "root" .root "part" .part) }}}
{{- end -}}

{{- define "skerry.hubPods" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: jupyterhub, app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .part }}}}
{{- end -}}

{{- define "skerry.gatewayPods" -}}
podSelector: {matchLabels: {app.kubernetes.io/name: dask-gateway, app.kubernetes.io/instance: {{ .root.Release.Name }}, app.kubernetes.io/component: {{ .part }}}}
{{- end -}}

{{- define "skerry.toHub" -}}
- to:
    - {{- include "skerry.hubPods" (dict "root" . "part" "hub") | nindent 6 }}
  ports: [{port: 8081}]
{{- end -}}

{{- /* The public address from inside, where there is no internal door. */ -}}
{{- define "skerry.toPublicDoor" -}}
- to:
    - {{- include "skerry.hubPods" (dict "root" . "part" "proxy") | nindent 6 }}
    {{- range .Values.network.publicDoor }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports: [{port: 8000}, {port: 80}, {port: 443}]
{{- end -}}

{{- define "skerry.fromMeasurer" -}}
{{- with .Values.monitoring.namespace }}
- from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ . }}}}
  ports: [{port: http}]
{{- end }}
{{- end -}}
