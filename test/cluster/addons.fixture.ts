/** Whether the cluster has what the chart can make use of, and does not bring. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Whether SEMLINK_TEST_KUBECONFIG names a cluster that has a resource; kubectl and helm then go there.
 *
 * @param resource type/name; of those in a namespace, one in kube-system
 * @param otherwise what is left out where it has not, said loudly
 */
export async function clusterWith(resource: string, otherwise: string): Promise<boolean> {
  const { SEMLINK_TEST_KUBECONFIG: kubeconfig } = process.env;
  if (kubeconfig) {
    process.env.KUBECONFIG = kubeconfig;
    if (await run('kubectl', ['-n', 'kube-system', 'get', resource]).then(Boolean, () => false)) return true;
  }
  process.stderr.write(`\n*** NO CLUSTER WITH ${resource}: ${otherwise}; see test/cluster/README.md ***\n\n`);
  return false;
}
