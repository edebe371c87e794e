#!/usr/bin/env bash
# What clusters in service have beside SemLink, on the cluster of local-cluster.sh: metrics-server and Prometheus with
# prometheus-adapter (what HorizontalPodAutoscalers read), the Prometheus Operator, cert-manager, a firewall for NetworkPolicies.
# From Go modules.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: test/cluster/addons.sh build|up|firewall

  build     builds and fetches the programs into TOOLS: after those of the cluster, a few minutes of processor time, once
  up        starts them on the cluster that is up; they go down with it
  firewall  enforces NetworkPolicies on that cluster from then on

TOOLS, STATE  as for local-cluster.sh
HELP
}

# shellcheck source=test/cluster/programs.sh
. "$(dirname "$0")/programs.sh"
observability="$here/../../deploy/observability/prometheus"
operator=github.com/prometheus-operator/prometheus-operator

build() {
  mkdir -p "$tools"
  build_one addons metrics
  build_one addons metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server
  build_one addons certificates
  build_one addons policies
  build_one operator prometheus-operator "$operator/cmd/operator"
  build_one operator prometheus-config-reloader "$operator/cmd/prometheus-config-reloader"
  # Of all that Prometheus can find targets by, what Kubernetes says.
  build_one operator prometheus github.com/prometheus/prometheus/cmd/prometheus -tags remove_all_sd,enable_kubernetes_sd
  copy_of addons sigs.k8s.io/metrics-server manifests/base metrics-server-manifests
  copy_of addons github.com/cert-manager/cert-manager deploy/crds cert-manager-crds
  rm -f "$tools/cert-manager-crds/README.md"
  copy_of operator "$operator" bundle.yaml prometheus-operator.yaml
}

# A program by the go.mod of a folder here, its own or of a module: FOLDER NAME [PACKAGE [FLAG...]]
build_one() {
  local folder=$1 name=$2 package=${3:-./$2}
  [[ ! -x "$tools/$name" ]] || return 0
  (cd "$here/$folder" && CGO_ENABLED=0 go build "${@:4}" -trimpath -ldflags '-s -w' -o "$tools/$name.part" "$package")
  mv "$tools/$name.part" "$tools/$name"
}

# A file or folder of a module: FOLDER MODULE PATH NAME
copy_of() {
  [[ ! -e "$tools/$4" ]] || return 0
  local module
  module="$(cd "$here/$1" && go list -m -f '{{.Dir}}' "$2")"
  cp -r --no-preserve=mode "$module/$3" "$tools/$4"
}

# An image of a program, at the path where it is looked for: NAME [PATH]
image() {
  local root path=${2:-/program}
  root="$(mktemp -d)"
  mkdir -p "$root/$(dirname "$path")"
  cp "$tools/$1" "$root/$path"
  tar -C "$root" -c . | docker import -c "ENTRYPOINT [\"$path\"]" - "semlink-local/$1:1" >/dev/null
  rm -rf "$root"
  "$here/local-cluster.sh" load "semlink-local/$1:1"
}

up() {
  ! runs certificates || stop "they run already; local-cluster.sh down ends them"
  [[ -x "$tools/metrics-server" && -x "$tools/prometheus" ]] || stop "the programs are not built: addons.sh build"
  [[ -e "$state/kubeconfig" ]] || stop "no cluster is up: local-cluster.sh up"
  export KUBECONFIG="$state/kubeconfig"
  resource_metrics
  metrics
  prometheus_operator
  certificates
  kubectl -n monitoring rollout status deployment/prometheus --timeout 120s >/dev/null
  kubectl -n monitoring rollout status deployment/prometheus-adapter --timeout 120s >/dev/null
  kubectl -n monitoring wait --for condition=Available --timeout 120s prometheus/operated >/dev/null
  kubectl wait --for condition=Available --timeout 60s apiservice/v1beta1.{custom.,}metrics.k8s.io >/dev/null
}

# By the manifests that come with it; the certificate of the kubelet is signed by itself here.
resource_metrics() {
  image metrics-server
  kubectl kustomize "$tools/metrics-server-manifests" 2>/dev/null |
    sed -E 's#image: .*#image: semlink-local/metrics-server:1#; s#( *- )--metric-resolution.*#&\n\1--kubelet-insecure-tls#' | put
}

metrics() {
  image prometheus
  image metrics
  kubectl create namespace monitoring --dry-run=client -o yaml | put
  # As it is, but that it looks more often.
  config_map prometheus prometheus.yml "$observability/prometheus.kubernetes.yaml" | sed 's/: 15s$/: 2s/' | put
  config_map prometheus-adapter config.yaml "$observability/prometheus-adapter.yaml" | put
  kubectl apply -f "$here/addons/monitoring.yaml" >/dev/null
}

# By the manifests that come with it, and a Prometheus of its own.
prometheus_operator() {
  image prometheus-operator
  image prometheus-config-reloader /bin/prometheus-config-reloader
  sed -E "s#(namespace:) default#\1 monitoring#; s#quay.io/prometheus-operator/(.*):v.*#semlink-local/\1:1#" \
    "$tools/prometheus-operator.yaml" | kubectl apply --server-side -f - >/dev/null
  kubectl wait --for condition=Established --timeout 60s crd/prometheuses.monitoring.coreos.com >/dev/null
  kubectl apply -f "$here/operator/prometheus.yaml" >/dev/null
}

certificates() {
  kubectl apply --server-side -f "$tools/cert-manager-crds" >/dev/null
  kubectl wait --for condition=Established --timeout 60s -f "$tools/cert-manager-crds" >/dev/null
  start certificates "$tools/certificates" "$state/kubeconfig"
}

firewall() {
  ! runs policies || stop "it runs already; local-cluster.sh down ends it"
  export KUBECONFIG="$state/kubeconfig"
  if ! command -v ipset >/dev/null; then
    local fetch=(apt-get install -y -qq --no-install-recommends ipset)
    { "${fetch[@]}" || { apt-get update -qq && "${fetch[@]}"; }; } >/dev/null 2>&1 || stop "ipset cannot be installed"
  fi
  # Packets from pod to pod cross the bridge of the node; the firewall has to see them.
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 || stop "this kernel shows no bridged packets to its firewall (br_netfilter)"
  start policies "$tools/policies" --kubeconfig "$state/kubeconfig" --hostname-override semlink-node \
    --service-cluster-ip-range 10.254.0.0/16
  sleep 3
  runs policies || stop "the firewall has ended; see $state/policies.log"
  local api
  api="$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')"
  api="${api#https://}"
  # Who tries it finds here where names are resolved.
  kubectl -n kube-system create configmap semlink-firewall --from-literal=dns="${api%:*}/32" >/dev/null
}

# NAME KEY FILE
config_map() {
  kubectl -n monitoring create configmap "$1" --from-file="$2=$3" --dry-run=client -o yaml
}

put() {
  kubectl apply -f - >/dev/null
}

case "${1:-}" in
  build) build ;;
  up) up ;;
  firewall) firewall ;;
  --help | -h) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
