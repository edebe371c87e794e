#!/usr/bin/env bash
# What cluster.sh builds in the background: build-cluster.sh MARK. Then there is MARK.cluster, and after the rest MARK.addons.
set -euo pipefail
test/cluster/local-cluster.sh build
: >"$1.cluster"
test/cluster/addons.sh build
: >"$1.addons"
