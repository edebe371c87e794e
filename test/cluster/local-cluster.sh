#!/usr/bin/env bash
# A real Kubernetes cluster of one node on this machine, for tests: API server, controllers, scheduler and kubelet built from
# their Go modules, etcd and network plugins from Debian, containerd, CoreDNS. Root, Debian, Go, kubectl, docker (with its
# containerd). No kube-proxy: names of headless Services resolve to pods, which is all that SemLink needs. Of other Services pods
# reach that of the API alone; the API reaches the pods behind a Service, for programs that extend it.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: test/cluster/local-cluster.sh build|up|load|down

  build          builds and fetches the programs into TOOLS: about 8 minutes of processor time, once
  up             starts the cluster; prints the path of its kubeconfig
  load IMAGE...  takes images from the docker engine of this machine into the cluster
  down           ends it and removes what it left

TOOLS  programs; default the tools folder in SEMLINK_CACHE (~/.cache/semlink)
STATE  everything that a running cluster writes; default /var/tmp/semlink-cluster
HELP
}

# shellcheck source=test/cluster/programs.sh
. "$(dirname "$0")/programs.sh"
kubernetes=1.34.2
containerd_socket="$state/containerd.sock"
bridge=semlink0
network=10.253.7
api=https://$network.1:36443
# What kube-proxy would do for the Service of the API.
to_api=(PREROUTING -i "$bridge" -d 10.254.0.1 -p tcp --dport 443 -j DNAT --to-destination "${api#https://}")

build() {
  mkdir -p "$tools"
  local version="k8s.io/component-base/version"
  if [[ ! -x "$tools/kube" ]]; then
    (cd "$here/kube" && CGO_ENABLED=0 go build -trimpath -o "$tools/kube.part" -ldflags \
      "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=${kubernetes:2:2}" .)
    mv "$tools/kube.part" "$tools/kube"
  fi
  [[ -x "$tools/coredns" ]] || (cd "$here/dns" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$tools/coredns" .)
  [[ -x "$tools/pause" ]] || (cd "$here/pause" && CGO_ENABLED=0 go build -o "$tools/pause" .)
  if [[ ! -x "$tools/debian/usr/bin/etcd" ]]; then
    local packages
    packages="$(mktemp -d)"
    local fetch=(apt-get download -qq etcd-server containernetworking-plugins)
    (cd "$packages" && { "${fetch[@]}" 2>/dev/null || { apt-get update -qq && "${fetch[@]}"; }; }) ||
      stop "etcd-server and containernetworking-plugins cannot be fetched"
    for package in "$packages"/*.deb; do dpkg-deb -x "$package" "$tools/debian"; done
    rm -rf "$packages"
  fi
}

# Waits until a command succeeds: SECONDS WHAT COMMAND...
await() {
  local limit=$1 what=$2
  shift 2
  for ((i = 0; i < 2 * limit; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.5
  done
  stop "$what did not come up in $limit s; see the logs in $state"
}

up() {
  [[ -x "$tools/kube" && -x "$tools/coredns" ]] || stop "the programs are not built: local-cluster.sh build"
  local program
  for program in containerd ctr docker kubectl curl openssl ip iptables; do
    command -v "$program" >/dev/null || stop "there is no $program here"
  done
  if [[ -e "$state/apiserver.pid" ]]; then
    ! runs apiserver || stop "it runs already, in $state; local-cluster.sh down ends it"
    # The machine was started anew since.
    down
  fi
  mkdir -p "$state/net.d"
  local node_ip
  node_ip="$(hostname -I | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$')"

  # Pods reach each other over the bridge, whatever else filters on this machine.
  iptables -C FORWARD -i $bridge -o $bridge -j ACCEPT 2>/dev/null || iptables -I FORWARD -i $bridge -o $bridge -j ACCEPT
  ip link show $bridge >/dev/null 2>&1 || ip link add $bridge type bridge
  ip addr replace $network.1/24 dev $bridge
  ip link set $bridge up
  iptables -t nat -C "${to_api[@]}" 2>/dev/null || iptables -t nat -A "${to_api[@]}"

  openssl genrsa -out "$state/accounts.key" 2048 2>/dev/null
  # With this the API server tells programs that extend it on whose behalf it asks.
  local certify=(openssl req -x509 -newkey rsa:2048 -nodes -days 30)
  "${certify[@]}" -subj /CN=proxies -keyout "$state/proxies.key" -out "$state/proxies.crt" 2>/dev/null
  "${certify[@]}" -subj /CN=apiserver -CA "$state/proxies.crt" -CAkey "$state/proxies.key" \
    -keyout "$state/proxy.key" -out "$state/proxy.crt" 2>/dev/null
  echo 'semlink-test,admin,admin,"system:masters"' >"$state/tokens.csv"
  cat >"$state/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "$api", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: semlink-test}}]
contexts: [{name: semlink-local, context: {cluster: local, user: admin}}]
current-context: semlink-local
CONFIG
  start etcd "$tools/debian/usr/bin/etcd" --data-dir "$state/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:32379 --advertise-client-urls http://127.0.0.1:32379 \
    --listen-peer-urls http://127.0.0.1:32380 --initial-advertise-peer-urls http://127.0.0.1:32380 \
    --initial-cluster default=http://127.0.0.1:32380
  start apiserver "$tools/kube" apiserver --etcd-servers http://127.0.0.1:32379 --cert-dir "$state/certificates" \
    --bind-address $network.1 --secure-port 36443 --advertise-address $network.1 --endpoint-reconciler-type none \
    --service-cluster-ip-range 10.254.0.0/16 --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$state/accounts.key" --service-account-signing-key-file "$state/accounts.key" \
    --token-auth-file "$state/tokens.csv" --authorization-mode Node,RBAC --kubelet-preferred-address-types InternalIP \
    --enable-aggregator-routing --proxy-client-cert-file "$state/proxy.crt" --proxy-client-key-file "$state/proxy.key" \
    --requestheader-client-ca-file "$state/proxies.crt" --requestheader-allowed-names apiserver \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group
  await 120 "the API server" curl -ksf $api/readyz
  start controllers "$tools/kube" controller-manager --kubeconfig "$state/kubeconfig" --leader-elect=false --secure-port 0 \
    --horizontal-pod-autoscaler-sync-period 5s \
    --service-account-private-key-file "$state/accounts.key" --root-ca-file "$state/certificates/apiserver.crt"
  start scheduler "$tools/kube" scheduler --kubeconfig "$state/kubeconfig" --leader-elect=false --secure-port 0

  cat >"$state/net.d/10-bridge.conflist" <<CONFIG
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "$bridge", "isGateway": true,
 "ipam": {"type": "host-local", "dataDir": "$state/addresses", "ranges": [[{"subnet": "$network.0/24"}]],
  "routes": [{"dst": "10.254.0.0/16"}, {"dst": "$node_ip/32"}]}}]}
CONFIG
  cat >"$state/containerd.toml" <<CONFIG
version = 2
root = "$state/containerd"
state = "$state/containerd-run"
[grpc]
  address = "$containerd_socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "semlink-local/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  # Where NVIDIA's container toolkit is installed this is its own; here it is the same runc, for there is no GPU.
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$tools/debian/usr/lib/cni"
    conf_dir = "$state/net.d"
CONFIG
  start containerd containerd --config "$state/containerd.toml"
  await 60 containerd ctr --address "$containerd_socket" version
  docker image inspect semlink-local/pause:1 >/dev/null 2>&1 ||
    tar -C "$tools" -c pause | docker import -c 'ENTRYPOINT ["/pause"]' - semlink-local/pause:1 >/dev/null
  load semlink-local/pause:1

  cat >"$state/Corefile" <<CONFIG
.:53 {
  bind $network.1
  kubernetes cluster.local {
    endpoint $api
    kubeconfig $state/kubeconfig semlink-local
    ttl 5
  }
  errors
}
CONFIG
  start coredns "$tools/coredns" -conf "$state/Corefile"
  echo "nameserver $network.1" >"$state/resolv.conf"
  cat >"$state/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
clusterDomain: cluster.local
clusterDNS: [$network.1]
resolvConf: $state/resolv.conf
containerRuntimeEndpoint: unix://$containerd_socket
imageGCHighThresholdPercent: 100
localStorageCapacityIsolation: false
syncFrequency: 10s
evictionHard: {memory.available: 100Mi}
port: 36250
healthzPort: 0
# Resizing of pods in place: this kubelet ends of it when a pod without limits is deleted while it starts.
featureGates: {KubeletInUserNamespace: true, InPlacePodVerticalScaling: false}
CONFIG
  start kubelet "$tools/kube" kubelet --config "$state/kubelet.yaml" --kubeconfig "$state/kubeconfig" \
    --root-dir "$state/kubelet" --hostname-override semlink-node --node-ip "$node_ip"
  await 90 "the node" kubectl --kubeconfig "$state/kubeconfig" wait --for condition=Ready node/semlink-node --timeout 1s
  echo "$state/kubeconfig"
}

load() {
  # Straight into the content store of the cluster's own containerd.
  docker save "$@" | ctr --address "$containerd_socket" --namespace k8s.io images import - >/dev/null
}

down() {
  local name pid task
  for name in policies certificates kubelet scheduler controllers coredns; do end "$name"; done
  if [[ -S "$containerd_socket" ]]; then
    local ctr=(ctr --address "$containerd_socket" --namespace k8s.io)
    for task in $("${ctr[@]}" tasks ls -q 2>/dev/null); do "${ctr[@]}" tasks rm -f "$task" >/dev/null 2>&1 || true; done
    for task in $("${ctr[@]}" containers ls -q 2>/dev/null); do "${ctr[@]}" containers rm "$task" >/dev/null 2>&1 || true; done
  fi
  for name in containerd apiserver etcd; do end "$name"; done
  # Volumes of pods and the memory of their /tmp.
  for ((pid = 0; pid < 3; pid++)); do
    while read -r _ mounted _; do umount -l "$mounted" 2>/dev/null || true; done < <(grep " $state/" /proc/mounts || true)
  done
  ip link del $bridge 2>/dev/null || true
  iptables -D FORWARD -i $bridge -o $bridge -j ACCEPT 2>/dev/null || true
  iptables -t nat -D "${to_api[@]}" 2>/dev/null || true
  rm -rf "$state"
}

# Ends one of the programs, and waits for it.
end() {
  local i
  ! runs "$1" || kill "$(cat "$state/$1.pid")" || true
  for ((i = 0; i < 100; i++)); do
    runs "$1" || break
    sleep 0.1
  done
  ! runs "$1" || kill -9 "$(cat "$state/$1.pid")" || true
  rm -f "$state/$1.pid"
}

case "${1:-}" in
  build) build ;;
  up) up ;;
  load)
    shift
    load "$@"
    ;;
  down) down ;;
  --help | -h) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
