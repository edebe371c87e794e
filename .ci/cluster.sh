# Sourced by run, after docker.sh and helm.sh: a real Kubernetes of one node on this machine for test/cluster, with the images
# in it. Best effort: where it cannot be had the tests say so.

# Seconds of this run after which no cluster is begun, and after which nothing further is tried on it.
readonly last_cluster=3000 last_addons=3600

# Builds the programs once, some twenty minutes of processor time, in the background: with what the tests leave of it.
build_cluster() {
  cluster_log="$(mktemp)"
  cluster_build=""
  [[ -n $engine ]] && command -v go >/dev/null && command -v containerd >/dev/null || return 0
  # timeout ends all that it started, also when it is ended.
  timeout $last_addons nice -n 19 .ci/build-cluster.sh "$cluster_log" >"$cluster_log.build" 2>&1 &
  cluster_build=$!
}

# Waits until so much is built: cluster|addons SECONDS-OF-THIS-RUN
built() {
  while [[ ! -e "$cluster_log.$1" ]]; do
    kill -0 "$cluster_build" 2>/dev/null || [[ -e "$cluster_log.$1" ]] || break
    ((SECONDS < $2)) || break
    sleep 1
  done
  [[ -e "$cluster_log.$1" ]] && return 0
  tail -5 "$cluster_log.build"
  return 1
}

start_cluster() {
  if [[ -z $cluster_build ]]; then
    echo "*** NO CLUSTER: it needs docker with containerd, and Go ***"
    return 0
  fi
  local version
  version="$(node -p 'require("./package.json").version')"
  echo "Making a cluster"
  # An earlier run that was cut off may have left its own.
  test/cluster/local-cluster.sh down >/dev/null 2>&1 || true
  if built cluster $last_cluster && test/cluster/local-cluster.sh up >"$cluster_log.up" 2>&1 &&
    test/cluster/local-cluster.sh load semlink/{transmitter-encoder,channel-emulator,receiver-decoder,teacher-cache,console,tools}:"$version" >"$cluster_log.up" 2>&1; then
    export SEMLINK_TEST_KUBECONFIG=/var/tmp/semlink-cluster/kubeconfig
  else
    tail -5 "$cluster_log.up" 2>/dev/null || true
    echo "*** NO CLUSTER: it could not be made in time; the chart is not tried on one ***"
    test/cluster/local-cluster.sh down >/dev/null 2>&1 || true
  fi
}

# What autoscaling, monitoring and certificates need beside it.
start_addons() {
  echo "Adding metrics-server, Prometheus with its operator and cert-manager to it"
  if ! { built addons $last_addons && timeout 300 test/cluster/addons.sh up >"$cluster_log.up" 2>&1; }; then
    tail -5 "$cluster_log.up" 2>/dev/null || true
    echo "*** NO ADDONS: autoscaling, the Prometheus Operator and cert-manager are not tried on the cluster ***"
    return 1
  fi
}

# Twice, for a machine may be slow for a while; what is lost twice is lost.
try_cluster() {
  start_cluster
  [[ -n "${SEMLINK_TEST_KUBECONFIG:-}" ]] || return 0
  local outcome=0
  local plain=(npx vitest run test/cluster/{cluster,console,gpu,jobs}.test.ts)
  "${plain[@]}" || "${plain[@]}" || outcome=1
  if start_addons; then
    local addons=(npx vitest run test/cluster/{autoscaling,cert-manager,operator}.test.ts)
    "${addons[@]}" || "${addons[@]}" || outcome=1
    if test/cluster/addons.sh firewall; then
      local policies=(npx vitest run test/cluster/network-policy.test.ts)
      "${policies[@]}" || "${policies[@]}" || outcome=1
    else
      echo "*** NO FIREWALL: NetworkPolicies are not tried on the cluster ***"
    fi
  fi
  test/cluster/local-cluster.sh down >/dev/null 2>&1 || true
  return $outcome
}

end_cluster_build() {
  [[ -z ${cluster_build:-} ]] || kill "$cluster_build" 2>/dev/null || true
  rm -f "${cluster_log:-/nonexistent}"*
}
