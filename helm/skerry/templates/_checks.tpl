{{- /* Values that contradict each other, or are missing, are refused with a sentence and its remedy. */ -}}

{{- define "skerry.refuse" -}}
{{- fail (printf "\n\nSkerry: %s %s\n" .what .remedy) -}}
{{- end -}}

{{- define "skerry.checkAddress" -}}
{{- $url := .Values.publicUrl -}}
{{- if not (regexMatch "^https?://[a-z0-9][a-z0-9.-]*(:[0-9]+)?/?$" $url) -}}
{{- include "skerry.refuse" (dict "what" (printf "publicUrl is %q." $url) "remedy" "Give the address under which people open the platform, such as https://skerry.example.org, without a path.") -}}
{{- end -}}
{{- if not (or (hasPrefix "https:" $url) (regexMatch "^(localhost|.*\\.localhost|127\\.0\\.0\\.1)$" (include "skerry.publicName" .))) -}}
{{- include "skerry.refuse" (dict "what" (printf "publicUrl is %q, without TLS: passwords and tokens could be read on the way." $url) "remedy" "Let it begin with https://; http:// is for this machine alone, such as http://localhost:8000.") -}}
{{- end -}}
{{- if and (hasPrefix "http:" $url) .Values.ingress.tlsSecret -}}
{{- include "skerry.refuse" (dict "what" (printf "ingress.tlsSecret is %q, but publicUrl %q has no TLS." .Values.ingress.tlsSecret $url) "remedy" "Let publicUrl begin with https://, or leave ingress.tlsSecret empty.") -}}
{{- end -}}
{{- if and (eq .Values.ingress.kind "gateway") (not .Values.ingress.gateways) -}}
{{- include "skerry.refuse" (dict "what" "ingress.kind is \"gateway\", but ingress.gateways names none." "remedy" "Name the Gateway: ingress.gateways: [{name: ..., namespace: ...}].") -}}
{{- end -}}
{{- end -}}

{{- define "skerry.checkCertificates" -}}
{{- if contains "PRIVATE KEY" .Values.certificates.authorities -}}
{{- include "skerry.refuse" (dict "what" "certificates.authorities holds a private key, which must not leave its authority." "remedy" "Give certificates alone.") -}}
{{- end -}}
{{- end -}}

{{- define "skerry.checkPeople" -}}
{{- $host := .Values.jupyterhub.hub.config.JupyterHub.subdomain_host | default "" -}}
{{- if .Values.people.many -}}
{{- if ne (trimSuffix "/" $host) (trimSuffix "/" .Values.publicUrl) -}}
{{- include "skerry.refuse" (dict "what" (printf "people.many is true, but jupyterhub.hub.config.JupyterHub.subdomain_host is %q: on one name, any page of one person acts as whoever visits it." $host) "remedy" (printf "Set it to publicUrl, %s, and let *.%s lead to the same address; or set people.many to false." .Values.publicUrl (include "skerry.userDomain" .))) -}}
{{- end -}}
{{- if regexMatch "^([0-9.]+|localhost)$" (include "skerry.publicName" .) -}}
{{- include "skerry.refuse" (dict "what" (printf "people.many is true, but publicUrl %q has no name below which people could have names of their own." .Values.publicUrl) "remedy" "Give the platform a name such as skerry.example.org, and let *.skerry.example.org lead to it; or set people.many to false.") -}}
{{- end -}}
{{- if hasSuffix (printf ".%s" (include "skerry.userDomain" .)) (include "skerry.publicName" .) -}}
{{- include "skerry.refuse" (dict "what" (printf "people.userDomain is %q, above publicUrl %q: a person with the first part of that name would have the platform's own name." .Values.people.userDomain .Values.publicUrl) "remedy" "Leave people.userDomain empty, or name a domain that is not above the platform's.") -}}
{{- end -}}
{{- $provider := regexReplaceAll ":[0-9]+$" ((urlParse (.Values.signOn.settings.issuer | default "")).host) "" | lower -}}
{{- if hasSuffix (printf ".%s" (include "skerry.userDomain" .)) $provider -}}
{{- include "skerry.refuse" (dict "what" (printf "signOn.settings.issuer is at %s, below %s, where each person has a host of their own: whoever has that name there would have the provider's, and *.%s leads to the platform." $provider (include "skerry.userDomain" .) (include "skerry.userDomain" .)) "remedy" "Give people another domain in people.userDomain, or the provider a name that is not below theirs.") -}}
{{- end -}}
{{- if not .Values.signOn.settings.issuer -}}
{{- include "skerry.refuse" (dict "what" "people.many is true, but signOn.settings names no issuer: many people cannot share the one password." "remedy" "Name an OpenID Connect provider in signOn.settings, or set people.many to false.") -}}
{{- end -}}
{{- else if $host -}}
{{- include "skerry.refuse" (dict "what" (printf "jupyterhub.hub.config.JupyterHub.subdomain_host is %q, but people.many is false." $host) "remedy" "Set people.many to true, or remove subdomain_host.") -}}
{{- end -}}
{{- end -}}

{{- define "skerry.checkState" -}}
{{- range $part := list "database" "objects" -}}
{{- $values := index $.Values $part -}}
{{- $outside := ternary "database.secret.name" "objects.place" (eq $part "database") -}}
{{- $given := ternary $.Values.database.secret.name $.Values.objects.place (eq $part "database") -}}
{{- if and $values.inCluster.enabled $given -}}
{{- include "skerry.refuse" (dict "what" (printf "%s is %q, and %s.inCluster.enabled is true: which of them holds the state?" $outside $given $part) "remedy" (printf "Leave %s empty, or set %s.inCluster.enabled to false." $outside $part)) -}}
{{- end -}}
{{- if not (or $values.inCluster.enabled $given) -}}
{{- include "skerry.refuse" (dict "what" (printf "%s is empty: there is no place for the %s." $outside (ternary "records" "products" (eq $part "database"))) "remedy" (printf "Set %s, or for a trial %s.inCluster.enabled." $outside $part)) -}}
{{- end -}}
{{- if and $values.inCluster.enabled (not $values.inCluster.image) -}}
{{- include "skerry.refuse" (dict "what" (printf "%s.inCluster.image is empty." $part) "remedy" (ternary "Name an image of PostgreSQL 15 or newer with PostGIS." "Name an image of an object store that speaks S3, and set command or args to serve /store." (eq $part "database"))) -}}
{{- end -}}
{{- end -}}
{{- with .Values.objects.place -}}
{{- if not (hasPrefix "s3://" .) -}}
{{- include "skerry.refuse" (dict "what" (printf "objects.place is %q: pods share no folder." .) "remedy" "Name a bucket: s3://BUCKET/PREFIX.") -}}
{{- end -}}
{{- end -}}
{{- if and .Values.objects.place (not .Values.objects.secret.name) (not .Values.objects.accountAnnotations) (not .Values.objects.roleArn) -}}
{{- include "skerry.refuse" (dict "what" "objects.secret.name is empty, and the service accounts have no identity of the cloud: nothing opens the bucket." "remedy" "Name a Secret with the two keys, or set objects.accountAnnotations.") -}}
{{- end -}}
{{- end -}}

{{- define "skerry.checkImages" -}}
{{- if not (regexMatch "^sha256:[0-9a-f]{64}$" (.Values.images.analysis.digest | default "")) -}}
{{- include "skerry.refuse" (dict "what" (printf "images.analysis.digest is %q: a run is tied to exactly one image." (.Values.images.analysis.digest | default "")) "remedy" "Give the image's digest, sha256: and 64 digits; the push of the image prints it.") -}}
{{- end -}}
{{- $want := include "skerry.image" (dict "root" . "image" "hub") -}}
{{- $tag := last (splitList "/" $want) | splitn ":" 2 -}}
{{- $gateway := index .Values "dask-gateway" -}}
{{- $images := dict "jupyterhub.hub.image" .Values.jupyterhub.hub.image -}}
{{- if $gateway.enabled -}}
{{- $_ := set $images "dask-gateway.gateway.image" $gateway.gateway.image -}}
{{- $_ := set $images "dask-gateway.controller.image" $gateway.controller.image -}}
{{- end -}}
{{- range $key, $image := $images -}}
{{- $have := printf "%s:%s" $image.name (toString $image.tag) -}}
{{- if ne $have $want -}}
{{- include "skerry.refuse" (dict "what" (printf "%s is %q, but images.hub is %q." $key $have $want) "remedy" (printf "Write %s: {name: %s, tag: %q}." $key (trimSuffix (printf ":%s" $tag._1) $want) $tag._1)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skerry.checkParts" -}}
{{- range $part := list "api" "maps" -}}
{{- $values := index $.Values $part -}}
{{- if and $values.autoscaling.enabled (lt (int $values.autoscaling.most) (int $values.replicas)) -}}
{{- include "skerry.refuse" (dict "what" (printf "%s.autoscaling.most is %d, less than %s.replicas, %d." $part (int $values.autoscaling.most) $part (int $values.replicas)) "remedy" "Give at least as many.") -}}
{{- end -}}
{{- end -}}
{{- if eq (include "skerry.attemptsNamespace" .) .Release.Namespace -}}
{{- include "skerry.refuse" (dict "what" (printf "attempts.namespace is %q, the namespace of the platform itself: the worker may change every pod there." .Release.Namespace) "remedy" "Name another namespace, which holds nothing but attempts.") -}}
{{- end -}}
{{- if and .Values.backup.claim .Values.backup.storageClass -}}
{{- include "skerry.refuse" (dict "what" (printf "backup.claim is %q, and backup.storageClass is %q: a volume that is there has its class." .Values.backup.claim .Values.backup.storageClass) "remedy" "Leave one of them empty.") -}}
{{- end -}}
{{- $gateway := index .Values "dask-gateway" -}}
{{- $flag := printf "--providers.kubernetescrd.namespaces=%s" .Release.Namespace -}}
{{- if and $gateway.enabled (not (has $flag $gateway.traefik.additionalArguments)) -}}
{{- include "skerry.refuse" (dict "what" (printf "dask-gateway.traefik.additionalArguments lacks %q: the gateway's proxy would look into all namespaces, which it may not." $flag) "remedy" (printf "Write it there, or install into the namespace that stands there: helm ... --namespace %s is the present one." .Release.Namespace)) -}}
{{- end -}}
{{- if .Values.jupyterhub.singleuser.cloudMetadata.blockWithIptables -}}
{{- include "skerry.refuse" (dict "what" "jupyterhub.singleuser.cloudMetadata.blockWithIptables is true: it needs a privileged container in each person's pod." "remedy" "Set it to false; a NetworkPolicy closes that address.") -}}
{{- end -}}
{{- if or .Values.jupyterhub.fullnameOverride .Values.jupyterhub.nameOverride -}}
{{- include "skerry.refuse" (dict "what" "jupyterhub.fullnameOverride or nameOverride is set: the parts find hub and proxy by their usual names." "remedy" "Remove both.") -}}
{{- end -}}
{{- end -}}

{{- /* Secrets that are named must be there with their keys. Asked only where a cluster answers and has the namespace. */ -}}
{{- define "skerry.checkSecrets" -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" -}}
{{- $wanted := list -}}
{{- with .Values.database.secret.name }}{{ $wanted = append $wanted (list . $.Values.database.secret.key "database.secret") }}{{ end -}}
{{- with .Values.objects.secret.name -}}
{{- $wanted = append $wanted (list . $.Values.objects.secret.accessKey "objects.secret") -}}
{{- $wanted = append $wanted (list . $.Values.objects.secret.secretKey "objects.secret") -}}
{{- end -}}
{{- if .Values.signOn.settings }}{{ $wanted = append $wanted (list "skerry-sign-on" "client-secret" "signOn.settings") }}{{ end -}}
{{- if not .Values.tokens.create -}}
{{- range $part := list "api" "maps" "dashboards" "worker" "dask-gateway" "prometheus" "doctor" "status" -}}
{{- $wanted = append $wanted (list "skerry-tokens" $part "tokens.create is false") -}}
{{- end -}}
{{- if dig "budgets" "enabled" false .Values.servers }}{{ $wanted = append $wanted (list "skerry-tokens" "spawner" "servers.budgets.enabled") }}{{ end -}}
{{- if not .Values.people.many }}{{ $wanted = append $wanted (list "skerry-tokens" "password" "tokens.create is false") }}{{ end -}}
{{- end -}}
{{- range $wanted -}}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace (index . 0) -}}
{{- if not (hasKey ($secret.data | default dict) (index . 1)) -}}
{{- include "skerry.refuse" (dict "what" (printf "%s: the Secret %q in namespace %q has no key %q." (index . 2) (index . 0) $.Release.Namespace (index . 1)) "remedy" (printf "kubectl --namespace %s create secret generic %s --from-file=%s=FILE" $.Release.Namespace (index . 0) (index . 1))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
