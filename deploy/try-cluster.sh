#!/usr/bin/env bash
# Tries SemLink on the cluster that kubectl points to: installs the chart, sends images through while every service is
# updated pod by pod, and says whether each image came back as a result. `--help` lists the options.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: deploy/try-cluster.sh [options]

Installs SemLink's chart on the cluster that kubectl points to, sends images through while every service is updated pod by
pod, and reports results_received and images_sent. Exit status: 0 when they are equal, 1 when an image was lost, 2 when it
could not be tried. What it installed it removes, unless a release of this name was there before or --keep is given.

  --release NAME     Helm release; default semlink
  --namespace NAME   made when it is not there; default semlink-try
  --images N         images sent in all; default 10000
  --rate N           images a second in all, which decides how long it sends; default 50
  --links N          links they go over, a pod each; default 4
  --registry HOST    image.registry of the chart: where semlink/<service> was pushed
  --tag TAG          image.tag of the chart; default its appVersion
  --values FILE      values for the chart; may be given more than once
  --timeout SECONDS  for each step; default 300
  --keep             leaves what it installed
  --help             prints this

Needs kubectl and helm on PATH, and the images where the cluster finds them (deploy/CLUSTER.md).
HELP
}

# Says why it cannot be tried, and ends.
stop() {
  echo "try-cluster: $1" >&2
  exit 2
}

say() { echo "try-cluster: $1" >&2; }

release=semlink
namespace=semlink-try
images=10000
rate=50
links=4
timeout=300
keep=false
chart_flags=()
while (($# > 0)); do
  case "$1" in
    --help | -h)
      usage
      exit 0
      ;;
    --keep)
      keep=true
      shift
      continue
      ;;
    --release | --namespace | --images | --rate | --links | --timeout | --registry | --tag | --values)
      (($# > 1)) || stop "$1 needs a value after it"
      ;;
    *) stop "unknown option $1; --help lists them" ;;
  esac
  case "$1" in
    --release) release=$2 ;;
    --namespace) namespace=$2 ;;
    --images) images=$2 ;;
    --rate) rate=$2 ;;
    --links) links=$2 ;;
    --timeout) timeout=$2 ;;
    --registry) chart_flags+=(--set "image.registry=$2") ;;
    --tag) chart_flags+=(--set-string "image.tag=$2") ;;
    --values) chart_flags+=(--values "$2") ;;
  esac
  shift 2
done
for number in "$images" "$rate" "$links" "$timeout"; do
  [[ "$number" =~ ^[1-9][0-9]*$ ]] || stop "\"$number\" is no whole number above 0"
done
((images % links == 0)) || stop "--images $images cannot be shared evenly by --links $links"

for program in kubectl helm; do
  command -v "$program" >/dev/null || stop "$program is not on PATH; install it first"
done
chart="$(cd "$(dirname "$0")" && pwd)/helm/semlink"
cluster="$(kubectl config current-context 2>/dev/null)" || stop "kubectl points to no cluster; choose one with: kubectl config use-context NAME"
kubectl version --request-timeout=10s >/dev/null 2>&1 || stop "the cluster \"$cluster\" does not answer; try: kubectl version"

run=(kubectl --namespace "$namespace")
installed=false
name=
values="$(mktemp)"
job="$(mktemp)"
clean_up() {
  rm -f "$values" "$job"
  [[ -z "$name" ]] || "${run[@]}" delete job "$name" --ignore-not-found --wait=false >/dev/null 2>&1 || true
  if $installed && ! $keep; then
    say "removing what was installed"
    helm uninstall "$release" --namespace "$namespace" --wait --timeout "${timeout}s" >/dev/null 2>&1 || true
  fi
}
trap clean_up EXIT

kubectl get namespace "$namespace" >/dev/null 2>&1 || {
  kubectl create namespace "$namespace" >/dev/null
  # The strictest Pod Security Standard, which the chart keeps to.
  kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
}
if helm status "$release" --namespace "$namespace" >/dev/null 2>&1; then
  say "the release $release is there already; it is upgraded, and stays"
  chart_flags+=(--reset-then-reuse-values)
else
  installed=true
fi
say "installing $release into $namespace on $cluster"
helm upgrade --install "$release" "$chart" --namespace "$namespace" "${chart_flags[@]}" --wait --timeout "${timeout}s" >/dev/null || {
  "${run[@]}" get pods >&2 || true
  stop "the chart did not come up; see the pods above, and: kubectl --namespace $namespace describe pods"
}

find_deployment() {
  "${run[@]}" get deployments --output name --selector "app.kubernetes.io/instance=$release,app.kubernetes.io/component=$1"
}
job_flags=(--set "test.update.enabled=true,test.update.images=$images,test.update.rate=$rate,test.update.links=$links")
helm get values "$release" --namespace "$namespace" --output yaml >"$values" || stop "the values of $release cannot be read"
helm template "$release" "$chart" --namespace "$namespace" --values "$values" "${job_flags[@]}" \
  --show-only templates/tests/try-job.yaml >"$job" || stop "the job that sends cannot be made"
name="$(sed -n 's/^  name: //p' "$job" | head -n 1)"
"${run[@]}" delete job "$name" --ignore-not-found --wait >/dev/null
say "sending $images images over $links links, $rate a second"
"${run[@]}" apply --filename "$job" >/dev/null

sending_pods() {
  "${run[@]}" get pods --selector "batch.kubernetes.io/job-name=$name" --field-selector "status.phase=$1" --output name | wc -l
}
waited=0
while (($(sending_pods Running) < links)); do
  (($(sending_pods Failed) == 0)) || break
  ((waited++ < timeout)) || stop "the pods that send did not start; see: kubectl --namespace $namespace get pods"
  sleep 1
done
sleep 3

for component in receiver-decoder channel-emulator transmitter-encoder; do
  deployment="$(find_deployment "$component")"
  [[ -n "$deployment" ]] || stop "there is no deployment of the $component"
  say "updating the $component, pod by pod"
  "${run[@]}" rollout restart "$deployment" >/dev/null
  "${run[@]}" rollout status "$deployment" --timeout "${timeout}s" >/dev/null || stop "the update of the $component did not end in $timeout s"
done
still_sending="$(sending_pods Running)"
say "every service has been updated; waiting for the images that are left"

waited=0
while (($(sending_pods Running) > 0)); do
  ((waited++ < timeout + 2 * images / rate)) || stop "the sending did not end; see: kubectl --namespace $namespace logs job/$name"
  sleep 1
done

sent=0
received=0
for ((link = 0; link < links; link++)); do
  summary="$("${run[@]}" logs --selector "batch.kubernetes.io/job-name=$name,batch.kubernetes.io/job-completion-index=$link" --tail=-1 || true)"
  number() { grep -o "\"$1\":[0-9]*" <<<"$summary" | grep -o '[0-9]*$' || echo 0; }
  sent=$((sent + $(number images_sent)))
  received=$((received + $(number results_received)))
  errors="$(grep -o '"errors_by_message":{[^}]*}' <<<"$summary" || true)"
  if [[ -n "$errors" && "$errors" != '"errors_by_message":{}' ]]; then say "link $link: $errors"; fi
  if ! grep -q '"images_sent"' <<<"$summary"; then say "link $link said nothing that can be read: $(tail -n 3 <<<"$summary")"; fi
done

echo "images_sent $sent"
echo "results_received $received"
if ((still_sending == 0)); then
  stop "the images were through before the last service was updated: give a lower --rate or more --images"
fi
if ((sent != images || received != sent)); then
  say "NOT every image came back as a result"
  exit 1
fi
say "every image came back as a result, through the update of every service"
