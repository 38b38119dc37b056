// Changes as they happen. All pages of a browser share one stream: one of them reads it and tells
// the others; when that one is closed, the next reads on from where it was.

/** The most changes that a page which comes later is told of. */
const MAX_RECENT = 50;

/** How long to wait before a stream that was refused is opened again. */
const RETRY_MILLISECONDS = 3000;

/**
 * @typedef {{ time: string, word: string, kind: string, glyph: string, text: string,
 *   link: string | null, type: string, touched: string[] }} Change
 * @typedef {{ cursor: string, changes: Change[], more: number }} News
 */

/** The place of a cursor in the history. @param {string} cursor */
const position = (cursor) => Number.parseInt(cursor, 10) || 0;

/**
 * Tells of changes after a cursor, or from now on, and whether the stream is there.
 * @param {string} stream the address @param {string} cursor
 * @param {(news: News) => void} tell @param {(isOn: boolean) => void} show
 */
export function follow(stream, cursor, tell, show) {
  const channel = new BroadcastChannel(`pedigree ${stream}`);
  /** @type {News[]} */
  let recent = [];
  let isReader = false;

  const take = (/** @type {News} */ news) => {
    show(true);
    if (cursor && position(news.cursor) <= position(cursor)) return;
    cursor = news.cursor;
    if (news.changes.length > 0) tell(news);
  };
  channel.onmessage = ({ data }) => {
    if (!("ask" in data)) {
      take(data);
    } else if (isReader) {
      const missed = data.ask ? recent : [];
      for (const news of [...missed, { cursor, changes: [], more: 0 }]) channel.postMessage(news);
    }
  };
  channel.postMessage({ ask: cursor });

  const open = () => {
    const source = new EventSource(cursor ? `${stream}?after=${encodeURIComponent(cursor)}` : stream);
    source.onopen = () => show(true);
    source.onmessage = (event) => {
      const news = { cursor: event.lastEventId, ...JSON.parse(event.data) };
      recent = [...recent, news].slice(-MAX_RECENT);
      channel.postMessage(news);
      take(news);
    };
    source.onerror = () => {
      show(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MILLISECONDS);
    };
  };
  const read = () => {
    isReader = true;
    open();
    // As long as the page is there.
    return new Promise(() => {});
  };
  // Without locks, as on plain HTTP of another host, each page has a stream of its own.
  if (navigator.locks) navigator.locks.request(channel.name, read);
  else read();
}
