// Progress of programs that do not tell: by what they have written so far.
import { sizeOfFolder } from './files.mjs';
import { amount } from './progress.mjs';

const WATCH_MS = 500;

/**
 * Runs `work` while `measure` is asked, twice a second, for the line to show.
 *
 * @template T
 * @param {import('./progress.mjs').Progress} progress
 * @param {() => Promise<string> | string} measure
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function watching(progress, measure, work) {
  let busy = false;
  let over = false;
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      const text = await measure();
      if (!over) progress.detail(text); // a late answer must not show up under the next title
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void look().catch(() => {}), WATCH_MS);
  try {
    return await work();
  } finally {
    over = true;
    clearInterval(timer);
  }
}

/** {@link watching} the growth of a folder towards `bytes`, where known: `fetching CIFAR-10, 38 of 139 MB`. */
export function watchingFolder(progress, { what, folder, bytes }, work) {
  progress.detail(what);
  return watching(progress, async () => `${what}, ${amount(await sizeOfFolder(folder), bytes)}`, work);
}
