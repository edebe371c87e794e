# Sourced by .ci/run: programs of others that tests look through or talk to. Each is best effort: a test that needs one says
# so where it is missing. What is built or fetched is kept beside the set-up's own cache.

tools="${SEMLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/semlink}/tools"
mkdir -p "$tools"
export PATH="$PATH:$tools:$tools/debian/usr/bin"
export PYTHONPATH="$tools/python${PYTHONPATH:+:$PYTHONPATH}"

missing_tool() {
  echo
  echo "*** $1 COULD NOT BE HAD: $2 ***"
  echo
}

# A reflection client that is not ours.
if ! command -v grpcurl >/dev/null && command -v go >/dev/null; then
  echo "Installing grpcurl"
  GOBIN="$tools" go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 ||
    missing_tool GRPCURL "reflection is not read by a client of others"
fi

# A store of traces. Built, for its module cannot be installed as it is: two minutes, once.
if ! command -v jaeger >/dev/null && command -v go >/dev/null; then
  echo "Building jaeger"
  jaeger_build="$(mktemp -d)"
  (
    cd "$jaeger_build"
    package=github.com/jaegertracing/jaeger/cmd/all-in-one
    timeout 900 bash -c "go mod init traces && go get $package@v1.76.0 && go build -trimpath -ldflags '-s -w' -o jaeger $package" \
      >build.log 2>&1 && mv jaeger "$tools/jaeger" || { tail -5 build.log; false; }
  ) || missing_tool JAEGER "traces are not looked at in a real store"
  rm -rf "$jaeger_build"
fi

# Grafana's own schema of dashboards. Built anew when its source changes.
grafana_schema="$tools/grafana-schema-$(cat test/observability/grafana-schema/* | sha256sum | cut -c1-12)"
if [[ ! -x "$grafana_schema/grafana-schema" ]] && command -v go >/dev/null; then
  echo "Building the check against Grafana's schema"
  mkdir -p "$grafana_schema"
  (cd test/observability/grafana-schema && CGO_ENABLED=0 go build -trimpath -o "$grafana_schema/grafana-schema" .) ||
    missing_tool "GRAFANA'S SCHEMA" "dashboards are not checked against it"
fi
export PATH="$PATH:$grafana_schema"

# Prometheus's own parser of /metrics, in Python.
if ! python3 -c 'import prometheus_client' 2>/dev/null; then
  echo "Installing prometheus_client"
  python3 -m pip install --quiet --no-deps --target "$tools/python" prometheus-client==0.26.0 ||
    missing_tool PROMETHEUS_CLIENT "/metrics is not read by Prometheus's own parser"
fi

# Prometheus: the programs alone, nothing that runs by itself.
if ! { command -v prometheus && command -v promtool; } >/dev/null; then
  echo "Fetching Prometheus"
  mkdir -p "$tools/debian" "$tools/packages"
  { apt-get update -qq && (cd "$tools/packages" && apt-get download -qq prometheus) &&
    dpkg-deb -x "$tools/packages"/prometheus_*.deb "$tools/debian"; } >/dev/null 2>&1 ||
    missing_tool PROMETHEUS "test/observability runs without it"
fi

# A browser.
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
  echo "Installing chromium"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
    >/dev/null 2>&1 || missing_tool CHROMIUM "test/console runs without a browser"
fi
