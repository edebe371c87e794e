// What of an installed package never runs in a container on Linux: other systems' binaries, browser builds, maps, types.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of any package. */
const NEVER =
  /\.(map|d\.[cm]?ts|[cm]?ts|tsbuildinfo|cc|gyp|gypi|markdown)$|\.(test|spec)\.[cm]?js$|(^|\/)(README|CHANGELOG|HISTORY)(\.md)?$|^(tests?|benchmarks?|bench|examples?|docs?|\.github)\//i;

/** By package: of what is listed only the part that matches is kept; `drop` wins over `keep`. */
const RULES = {
  'onnxruntime-node': { keep: [['bin/', /^bin\/napi-v\d+\/linux\/x64\//]], drop: /^script\// },
  zeromq: { keep: [['build/', /^build\/(manifest\.json$|linux\/x64\/)/]], drop: /^(src|script|vcpkg)\// },
  zod: { drop: /^src\// },
};
/** TensorFlow.js packages carry every build for every browser; Node.js takes `*.node.js` and the modules in dist/. */
const TENSORFLOW = {
  drop: /^(src|scripts|binding|deps|test_)|^dist\/(miniprogram\/|.*(\.es2017|\.fesm|\.min)[.\w]*\.js$)|\.html$/,
};

/**
 * Whether a file of a package is copied into an image.
 *
 * @param {string} name of the package
 * @param {string} path inside the package
 */
export function isWanted(name, path) {
  if (NEVER.test(path)) return false;
  const { keep = [], drop } = RULES[name] ?? (name.startsWith('@tensorflow/') ? TENSORFLOW : {});
  if (drop?.test(path)) return false;
  return keep.every(([below, pattern]) => !path.startsWith(below) || pattern.test(path));
}

/**
 * Copies a folder's files that `wanted` says yes to, readable for every user, not writable but for the owner.
 *
 * @param {string} from
 * @param {string} to made where needed
 * @param {(path: string) => boolean} [wanted] path from the folder; folders named node_modules are never entered
 */
export function copyTree(from, to, wanted = () => true) {
  const visit = (below) => {
    for (const entry of readdirSync(join(from, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules') visit(path);
      } else if (entry.isFile() && wanted(path)) copyFile(join(from, path), join(to, path));
    }
  };
  visit('');
}

/** Copies one file; an executable one stays so. */
export function copyFile(from, to) {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  copyFileSync(from, to);
  chmodSync(to, statSync(from).mode & 0o100 ? 0o755 : 0o644);
}
