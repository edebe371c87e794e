/**
 * Maps `items` with up to `ahead` results in the making, in order. At most `ahead` results are held; when the reader
 * stops early, those in the making are dropped.
 *
 * @param ahead at least 1
 */
export async function* prefetch<Item, Result>(
  items: Iterable<Item>,
  ahead: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const waiting: Promise<Result>[] = [];
  for (const item of items) {
    const result = map(item);
    result.catch(() => {}); // reported when its turn comes; not as unhandled when the reader has left
    waiting.push(result);
    if (waiting.length >= ahead) yield await waiting.shift()!;
  }
  while (waiting.length > 0) yield await waiting.shift()!;
}
