// What is in an image, as CycloneDX: npm writes the list of all packages, from which those of the image are taken.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CUDA_WHEELS, TENSORFLOW_VERSION, WHEELS } from '../setup/tensorflow.mjs';

/**
 * @param {{root: string, target: string, folders: string[], tensorflow: 'cpu' | 'gpu' | undefined}} image
 *   `folders`: its packages as the lock file places them; `tensorflow`: which library it holds
 * @returns {object} a CycloneDX bill of materials
 */
export function bomOf({ root, target, folders, tensorflow }) {
  const whole = wholeBom(root);
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const wanted = new Set(folders.map((folder) => `${nameOf(folder)}@${packages[folder].version}`));
  const components = whole.components.filter((component) => wanted.has(idOf(component)));
  const missing = [...wanted].filter((id) => !components.some((component) => idOf(component) === id));
  if (missing.length > 0) throw new Error(`npm sbom does not list ${missing.join(', ')}`);
  const kept = new Set([whole.metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])]);
  const dependencies = whole.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map((entry) => ({ ...entry, dependsOn: entry.dependsOn.filter((ref) => kept.has(ref)) }));
  return {
    ...whole,
    metadata: { ...whole.metadata, component: { ...whole.metadata.component, name: `semlink/${target}` } },
    components: [...components, ...nativeComponents(tensorflow)],
    dependencies,
  };
}

let listed;
/** All packages of the lock file, those for development included; the same for every image. */
function wholeBom(root) {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  listed ??= JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 }));
  return listed;
}

const nameOf = (folder) => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
const idOf = ({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`;

/** What did not come from npm: Node.js, TensorFlow's library, CUDA. The base image has a bill of its own. */
function nativeComponents(device) {
  const node = process.versions.node;
  const found = [{ type: 'platform', name: 'node', version: node, purl: `pkg:generic/node@${node}` }];
  if (device === undefined) return found;
  const { project, sha256 } = WHEELS[device];
  found.push({
    ...pypi(project, TENSORFLOW_VERSION),
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  });
  if (device === 'gpu') found.push(...CUDA_WHEELS.map(({ pin }) => pypi(...pin.split('=='))));
  return found;
}

const pypi = (name, version) => ({ type: 'library', name, version, purl: `pkg:pypi/${name}@${version}` });
