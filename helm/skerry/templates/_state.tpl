{{- /* A Service and a StatefulSet with one pod and one volume.
       Takes: root, part, values (image, command, args, storage, resources), port, mount, variables, folder (made before the start). */ -}}
{{- define "skerry.stateful" -}}
{{- $named := dict "root" .root "part" .part }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: skerry-{{ .part }}
  labels: {{- include "skerry.labels" $named | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: skerry-{{ .part }}
  labels: {{- include "skerry.labels" $named | nindent 4 }}
spec:
  selector: {{- include "skerry.selector" $named | nindent 4 }}
  ports:
    - {name: store, port: {{ .port }}, targetPort: store}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: skerry-{{ .part }}
  labels: {{- include "skerry.labels" $named | nindent 4 }}
spec:
  serviceName: skerry-{{ .part }}
  replicas: 1
  selector:
    matchLabels: {{- include "skerry.selector" $named | nindent 6 }}
  template:
    metadata:
      labels: {{- include "skerry.labels" $named | nindent 8 }}
    spec:
      serviceAccountName: skerry-{{ .part }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      priorityClassName: {{ .root.Values.priorities.platform.name }}
      terminationGracePeriodSeconds: 60
      securityContext: {{- include "skerry.storeSecurity" .values | nindent 8 }}
      {{- include "skerry.pullSecrets" .root | nindent 6 }}
      {{- with .folder }}
      initContainers:
        - name: bucket
          image: {{ include "skerry.image" (dict "root" $.root "image" "services") }}
          imagePullPolicy: {{ $.root.Values.images.pullPolicy }}
          command: [mkdir, -p, {{ . }}] # a bucket of such a store is a folder
          resources:
            requests: {cpu: 10m, memory: 16Mi}
            limits: {cpu: 100m, memory: 64Mi}
          securityContext: {{- include "skerry.containerSecurity" $.root | nindent 12 }}
          volumeMounts:
            - {name: store, mountPath: {{ $.mount }}}
      {{- end }}
      containers:
        - name: {{ .part }}
          image: {{ .values.image }}
          imagePullPolicy: {{ .root.Values.images.pullPolicy }}
          {{- with .values.command }}
          command: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .values.args }}
          args: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - {name: store, containerPort: {{ .port }}}
          env: {{- toYaml .variables | nindent 12 }}
          readinessProbe:
            tcpSocket: {port: store}
            periodSeconds: 5
          livenessProbe:
            tcpSocket: {port: store}
            periodSeconds: 20
            failureThreshold: 6
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext: {{- include "skerry.containerSecurity" .root | nindent 12 }}
          volumeMounts:
            - {name: store, mountPath: {{ .mount }}}
            - {name: temporary, mountPath: /tmp}
            - {name: run, mountPath: /var/run}
      volumes:
        - name: temporary
          emptyDir: {sizeLimit: 256Mi}
        - name: run # sockets
          emptyDir: {sizeLimit: 16Mi}
  volumeClaimTemplates:
    - metadata: {name: store}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ .values.storage }}}}
{{- end -}}

{{- define "skerry.storeSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}
