{{- /* What the hub and the gateway need to know, as the package reads it; no secret is in it. */ -}}
{{- /* A name that changes with the content, so that a hub with others starts anew. */ -}}
{{- define "skerry.authoritiesFile" -}}
authorities-{{ sha256sum .Values.certificates.authorities | trunc 8 }}.pem
{{- end -}}

{{- define "skerry.hubSettings" -}}
{{- $dask := (index .Values "dask-gateway").enabled -}}
{{- $services := list -}}
{{- range list "api" "maps" "dashboards" "status" -}}
{{- $services = append $services (dict "name" . "url" (printf "http://skerry-%s:8000" .)) -}}
{{- end -}}
{{- range list "worker" "prometheus" "doctor" -}}
{{- $services = append $services (dict "name" .) -}}
{{- end -}}
{{- if $dask -}}
{{- $services = append $services (dict "name" "dask-gateway" "url" "http://api-dask-gateway:8000") -}}
{{- end -}}
{{- if dig "budgets" "enabled" false .Values.servers -}}
{{- $services = append $services (dict "name" "spawner") -}}
{{- end -}}
{{- $current := dict "name" "current" "title" (printf "Skerry %s" .Chart.AppVersion) "image" (include "skerry.pinnedImage" .) -}}
{{- $settings := omit (deepCopy .Values.servers) "images" "dask" -}}
{{- $_ := set $settings "publicUrl" (trimSuffix "/" .Values.publicUrl) -}}
{{- $_ := set $settings "internalUrl" (include "skerry.internalUrl" .) -}}
{{- $_ := set $settings "services" $services -}}
{{- $_ := set $settings "images" (prepend (.Values.servers.images | default list) $current) -}}
{{- $_ := set $settings "priorityClass" .Values.priorities.interactive.name -}}
{{- if .Values.certificates.authorities -}}
{{- $_ := set $settings "authorities" (printf "/etc/skerry/%s" (include "skerry.authoritiesFile" .)) -}}
{{- end -}}
{{- if .Values.people.many -}}
{{- $_ := set $settings "userDomain" (include "skerry.userDomain" .) -}}
{{- else -}}
{{- $_ := set $settings "onlyPerson" .Values.people.owner -}}
{{- end -}}
{{- with .Values.signOn.settings }}{{ $_ := set $settings "signOn" . }}{{ end -}}
{{- if $dask -}}
{{- $addresses := dict "dashboards" "traefik-dask-gateway:80" "proxyAddress" "gateway://traefik-dask-gateway:80" -}}
{{- $_ := set $settings "dask" (merge $addresses (.Values.servers.dask | default dict)) -}}
{{- end -}}
{{ toPrettyJson $settings }}
{{- end -}}
