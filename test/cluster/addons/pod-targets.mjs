/**
 * Tells Prometheus the pods of a cluster over http_sd, with the labels that its own kubernetes_sd (role pod) gives them and
 * prometheus.kubernetes.yaml goes by: Debian builds Prometheus without kubernetes_sd.
 *
 * node pod-targets.mjs ADDRESS PORT, with KUBECONFIG
 */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { get } from 'node:https';

const [address, port] = process.argv.slice(2);
const config = JSON.parse(
  execFileSync('kubectl', ['config', 'view', '--raw', '--minify', '-o', 'json'], { encoding: 'utf8' }),
);
const api = config.clusters[0].cluster.server;
const headers = { authorization: `Bearer ${config.users[0].user.token}` };

/** @returns {Promise<object[]>} all pods */
const pods = () =>
  new Promise((resolve, reject) => {
    // The kubeconfig of the cluster on this machine does not check its certificate either.
    get(`${api}/api/v1/pods`, { headers, rejectUnauthorized: false }, async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      if (response.statusCode === 200) resolve(JSON.parse(text).items);
      else reject(new Error(`pods: ${response.statusCode} ${text}`));
    }).on('error', reject);
  });

/** A target for each port that a container of the pod declares. */
function targetsOf({ metadata, spec, status }) {
  if (!status.podIP) return [];
  const meta = {
    namespace: metadata.namespace,
    pod_name: metadata.name,
    pod_node_name: spec.nodeName,
    pod_phase: status.phase,
  };
  for (const [label, value] of Object.entries(metadata.labels ?? {}))
    meta[`pod_label_${label.replace(/[^a-zA-Z0-9_]/g, '_')}`] = value;
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.map(({ name = '', containerPort }) => {
      const all = Object.entries({ ...meta, pod_container_port_name: name });
      const labels = Object.fromEntries(all.map(([key, value]) => [`__meta_kubernetes_${key}`, value]));
      return { targets: [`${status.podIP}:${containerPort}`], labels };
    }),
  );
}

createServer(async (_, response) => {
  try {
    const targets = (await pods()).flatMap(targetsOf);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(targets));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}).listen(Number(port), address);
