/** What the console tells: one stream of updates, which the browser opens again when it breaks off. */

/**
 * @param {{ onUpdate: (update: object) => void, onState: (state: 'connecting' | 'live' | 'lost') => void }} handlers
 */
export function openFeed({ onUpdate, onState }) {
  const source = new EventSource('api/events');
  let broken;
  source.addEventListener('update', (event) => {
    clearTimeout(broken);
    broken = undefined;
    onState('live');
    onUpdate(JSON.parse(event.data));
  });
  source.addEventListener('error', () => {
    // A break of a moment is no news.
    broken ??= setTimeout(() => onState('lost'), 800);
    // A refusal (too many pages) ends the stream for good; ask again later.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => openFeed({ onUpdate, onState }), 3_000);
  });
}
