# Sourced by .ci/run: a docker engine for the container suite, and the images. Where none can be had, one loud line.

# An engine that answers: this machine's own, else one that the script beside this checkout sets up.
engine_setup=../shared/docker/local-docker-engine.sh
engine=""
if docker version >/dev/null 2>&1; then
  engine=own
elif [[ -f $engine_setup ]]; then
  # Twice: another program may have held the package manager's lock.
  bash "$engine_setup" || bash "$engine_setup" || echo "the docker engine could not be set up"
  export DOCKER_HOST="unix://${D:-/var/tmp/ci-docker}/docker.sock"
  engine=set-up
fi
if [[ -n $engine ]]; then
  # From here on the container suite fails rather than being left out.
  export SEMLINK_REQUIRE_DOCKER=1
else
  echo
  echo "*** NO DOCKER ENGINE: THE CONTAINER SUITE WILL NOT RUN ***"
  echo
fi

# Builds all images; after the set-up, whose results they hold.
build_images() {
  [[ -n $engine ]] || return 0
  if [[ $engine == set-up ]]; then
    # The base image made there is Node.js and its libraries; what is computed with needs one more, CUDA two.
    local base
    base="$(mktemp -d)"
    cp -L /lib/x86_64-linux-gnu/{librt,libz,libutil}.so.1 "$base"
    printf 'FROM local/node:20-slim\nCOPY librt.so.1 libz.so.1 libutil.so.1 /lib/x86_64-linux-gnu/\n' >"$base/Dockerfile"
    docker build -q -t local/semlink-base:20 "$base" >/dev/null 2>&1 ||
      DOCKER_BUILDKIT=0 docker build -q -t local/semlink-base:20 "$base" >/dev/null
    rm -rf "$base"
    export SEMLINK_BASE_IMAGE=local/semlink-base:20
  fi
  local log
  log="$(mktemp)"
  if node deploy/docker/build.mjs --sbom .setup/sbom >"$log" 2>&1; then
    grep '[│┌└├]' "$log" || true
  else
    tail -n 40 "$log"
    echo "the images could not be built"
  fi
  rm -f "$log"
  # What earlier runs left in the engine that was set up for this; a user's own is left alone.
  if [[ $engine == set-up ]]; then
    local left
    left="$(docker ps -aq --filter label=org.testcontainers=true; docker ps -aq --filter name=semlink-test-)"
    # shellcheck disable=SC2086
    [[ -z $left ]] || docker rm -f $left >/dev/null || true
    docker image prune -f >/dev/null || true
    docker builder prune -f --keep-storage 4GB >/dev/null 2>&1 || true
  fi
}
