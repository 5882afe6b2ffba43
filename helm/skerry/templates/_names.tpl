{{- /* Names, labels and images that the templates share. */ -}}

{{- /* The labels that choose the pods of a part. Takes: root, part. */ -}}
{{- define "skerry.selector" -}}
app.kubernetes.io/name: skerry
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- /* The same labels, where they stand in one line. */ -}}
{{- define "skerry.selectorInLine" -}}
{{ include "skerry.selector" . | fromYaml | toJson }}
{{- end -}}

{{- /* All labels of an object. Takes: root, part. */ -}}
{{- define "skerry.labels" -}}
{{ include "skerry.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: skerry
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* An image with its tag, and its digest where there is one. Takes: root, image (services, analysis or hub). */ -}}
{{- define "skerry.image" -}}
{{- $images := .root.Values.images -}}
{{- $image := index $images .image -}}
{{- with $images.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* The image of attempts, by its digest alone: a run's environment is exactly this. */ -}}
{{- define "skerry.pinnedImage" -}}
{{- $images := .Values.images -}}
{{- with $images.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $images.analysis.name }}@{{ $images.analysis.digest }}
{{- end -}}

{{- define "skerry.attemptsNamespace" -}}
{{ .Values.attempts.namespace | default (printf "%s-attempts" .Release.Namespace) }}
{{- end -}}

{{- /* The host and port of the public address. */ -}}
{{- define "skerry.publicHost" -}}
{{ (urlParse .Values.publicUrl).host }}
{{- end -}}

{{- /* The name of the public address, without the port. */ -}}
{{- define "skerry.publicName" -}}
{{ regexReplaceAll ":[0-9]+$" (include "skerry.publicHost" .) "" }}
{{- end -}}

{{- /* Where pods reach api, maps and gateway: the gateway's own proxy, unless a value says otherwise. */ -}}
{{- define "skerry.internalUrl" -}}
{{- if .Values.internalUrl -}}
{{ .Values.internalUrl | trimSuffix "/" }}
{{- else if (index .Values "dask-gateway").enabled -}}
http://traefik-dask-gateway.{{ .Release.Namespace }}.svc
{{- else -}}
{{ .Values.publicUrl | trimSuffix "/" }}
{{- end -}}
{{- end -}}

{{- define "skerry.userDomain" -}}
{{ .Values.people.userDomain | default (include "skerry.publicName" .) }}
{{- end -}}

{{- /* Where each part says whether it can work, and where the api tells what everybody may know: as JSON. */ -}}
{{- define "skerry.partsAt" -}}
{{- $parts := dict "hub" "http://hub:8081/hub/health" "proxy" "http://proxy-public/_chp_healthz" -}}
{{- range list "api" "maps" "dashboards" "worker" -}}
{{- $_ := set $parts . (printf "http://skerry-%s:8000/services/%s/ready" . .) -}}
{{- end -}}
{{- if (index .Values "dask-gateway").enabled -}}
{{- $_ := set $parts "gateway" "http://api-dask-gateway:8000/api/health" -}}
{{- end -}}
{{- toJson $parts -}}
{{- end -}}

{{- /* Those of them that a worker reaches, for whoever calls the doctor there. */ -}}
{{- define "skerry.partsOfWorker" -}}
{{- toJson (pick (fromJson (include "skerry.partsAt" .)) "hub" "gateway") -}}
{{- end -}}

{{- /* The Secret with the address of the database, and its key, as "name key". */ -}}
{{- define "skerry.databaseSecret" -}}
{{- if .Values.database.inCluster.enabled }}skerry-database url{{ else }}{{ .Values.database.secret.name }} {{ .Values.database.secret.key }}{{ end -}}
{{- end -}}

{{- define "skerry.objectsSecret" -}}
{{- if .Values.objects.inCluster.enabled }}skerry-objects{{ else }}{{ .Values.objects.secret.name }}{{ end -}}
{{- end -}}

{{- define "skerry.objectsPlace" -}}
{{- if .Values.objects.inCluster.enabled }}s3://{{ .Values.objects.inCluster.bucket }}{{ else }}{{ .Values.objects.place }}{{ end -}}
{{- end -}}

{{- define "skerry.objectsEndpoint" -}}
{{- if .Values.objects.inCluster.enabled }}http://skerry-objects.{{ .Release.Namespace }}.svc:{{ .Values.objects.inCluster.port }}{{ else }}{{ .Values.objects.endpoint }}{{ end -}}
{{- end -}}
