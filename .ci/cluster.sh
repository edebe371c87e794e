# Sourced by run, after docker.sh and helm.sh: a real Kubernetes of one node on this machine for test/cluster, with the images
# in it. Built once, some ten minutes. Best effort: where it cannot be had the tests say so.
start_cluster() {
  if [[ -z $engine ]] || ! command -v go >/dev/null || ! command -v containerd >/dev/null; then
    echo "*** NO CLUSTER: it needs docker with containerd, and Go ***"
    return 0
  fi
  local log version
  log="$(mktemp)"
  version="$(node -p 'require("./package.json").version')"
  echo "Making a cluster"
  if timeout 1500 test/cluster/local-cluster.sh build >"$log" 2>&1 && test/cluster/local-cluster.sh up >"$log" 2>&1 &&
    test/cluster/local-cluster.sh load semlink/{transmitter-encoder,channel-emulator,receiver-decoder,teacher-cache,console,tools}:"$version" >"$log" 2>&1; then
    export SEMLINK_TEST_KUBECONFIG=/var/tmp/semlink-cluster/kubeconfig
  else
    tail -5 "$log"
    echo "*** NO CLUSTER: it could not be made; the chart is not tried on one ***"
    test/cluster/local-cluster.sh down >/dev/null 2>&1 || true
  fi
  rm -f "$log"
}

# What autoscaling, monitoring and certificates need beside it; built once, again some ten minutes. Best effort too.
start_addons() {
  local log
  log="$(mktemp)"
  echo "Adding metrics-server, Prometheus with its operator and cert-manager to it"
  if ! { timeout 1500 test/cluster/addons.sh build && timeout 300 test/cluster/addons.sh up; } >"$log" 2>&1; then
    tail -5 "$log"
    echo "*** NO ADDONS: autoscaling, the Prometheus Operator and cert-manager are not tried on the cluster ***"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
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
