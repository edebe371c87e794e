#!/usr/bin/env bash
# What clusters in service have beside SemLink, on the cluster of local-cluster.sh: Prometheus with prometheus-adapter (the
# metrics that HorizontalPodAutoscalers read), cert-manager, a firewall for NetworkPolicies. From Debian and Go modules.
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

build() {
  mkdir -p "$tools"
  build_one metrics
  build_one metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server
  build_one certificates
  build_one policies
  copy_of sigs.k8s.io/metrics-server manifests/base metrics-server-manifests
  copy_of github.com/cert-manager/cert-manager deploy/crds cert-manager-crds
  rm -f "$tools/cert-manager-crds/README.md"
  prometheus >/dev/null
}

# A program of this folder, or of one of its modules: NAME [PACKAGE]
build_one() {
  [[ ! -x "$tools/$1" ]] || return 0
  (cd "$here/addons" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$tools/$1.part" "${2:-./$1}")
  mv "$tools/$1.part" "$tools/$1"
}

# A folder of a module: MODULE FOLDER NAME
copy_of() {
  [[ ! -d "$tools/$3" ]] || return 0
  local module
  module="$(cd "$here/addons" && go list -m -f '{{.Dir}}' "$1")"
  cp -r --no-preserve=mode "$module/$2" "$tools/$3"
}

# Path of the program; Debian's.
prometheus() {
  local one
  for one in "$(command -v prometheus || true)" {"$(dirname "$tools")","$tools"}/debian/usr/bin/prometheus; do
    if [[ -n "$one" && -x "$one" ]]; then
      echo "$one"
      return
    fi
  done
  local packages
  packages="$(mktemp -d)"
  local fetch=(apt-get download -qq prometheus)
  (cd "$packages" && { "${fetch[@]}" 2>/dev/null || { apt-get update -qq && "${fetch[@]}"; }; }) >&2 ||
    stop "prometheus cannot be fetched"
  dpkg-deb -x "$packages"/prometheus_*.deb "$tools/debian"
  rm -rf "$packages"
  echo "$tools/debian/usr/bin/prometheus"
}

# An image of a program with the libraries that it needs: NAME PROGRAM
image() {
  local root
  root="$(mktemp -d)"
  cp "$2" "$root/program"
  { ldd "$2" 2>/dev/null | grep -oE '/[^ )]+' || true; } | sort -u | xargs -r -I{} cp --parents -L {} "$root"
  tar -C "$root" -c . | docker import -c 'ENTRYPOINT ["/program"]' - "semlink-local/$1:1" >/dev/null
  rm -rf "$root"
  "$here/local-cluster.sh" load "semlink-local/$1:1"
}

up() {
  [[ ! -e "$state/targets.pid" ]] || stop "they run already; local-cluster.sh down ends them"
  [[ -x "$tools/metrics-server" && -x "$tools/certificates" ]] || stop "the programs are not built: addons.sh build"
  [[ -e "$state/kubeconfig" ]] || stop "no cluster is up: local-cluster.sh up"
  export KUBECONFIG="$state/kubeconfig"
  resource_metrics
  metrics
  certificates
}

# By the manifests that come with it; the certificate of the kubelet is signed by itself here.
resource_metrics() {
  image metrics-server "$tools/metrics-server"
  kubectl kustomize "$tools/metrics-server-manifests" 2>/dev/null |
    sed -E 's#image: .*#image: semlink-local/metrics-server:1#; s#( *- )--metric-resolution.*#&\n\1--kubelet-insecure-tls#' | put
}

metrics() {
  local api gateway
  api="$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')"
  api="${api#https://}"
  gateway="${api%:*}"
  start targets node "$here/addons/pod-targets.mjs" "$gateway" 36290
  image prometheus "$(prometheus)"
  image prometheus-adapter "$tools/metrics"
  kubectl create namespace monitoring --dry-run=client -o yaml | put
  # As it is, but that it looks more often, and is told of the pods by pod-targets.mjs.
  local told="- {url: 'http://$gateway:36290/', refresh_interval: 2s}"
  config_map prometheus prometheus.yml "$observability/prometheus.kubernetes.yaml" |
    sed "s/: 15s$/: 2s/; s/kubernetes_sd_configs:/http_sd_configs:/; s#- role: pod#$told#" | put
  config_map prometheus-adapter config.yaml "$observability/prometheus-adapter.yaml" | put
  kubectl apply -f "$here/addons/monitoring.yaml" >/dev/null
  kubectl -n monitoring rollout status deployment/prometheus --timeout 120s >/dev/null
  kubectl -n monitoring rollout status deployment/prometheus-adapter --timeout 120s >/dev/null
  kubectl wait --for condition=Available --timeout 60s apiservice/v1beta1.{custom.,}metrics.k8s.io >/dev/null
}

certificates() {
  kubectl apply --server-side -f "$tools/cert-manager-crds" >/dev/null
  kubectl wait --for condition=Established --timeout 60s -f "$tools/cert-manager-crds" >/dev/null
  start certificates "$tools/certificates" "$state/kubeconfig"
}

firewall() {
  [[ ! -e "$state/policies.pid" ]] || stop "it runs already; local-cluster.sh down ends it"
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
  kill -0 "$(cat "$state/policies.pid")" || stop "the firewall has ended; see $state/policies.log"
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
