import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { script } from './script.js';

/** As much of a browser's EventSource as is used. */
class Source {
  static readonly CLOSED = 2;
  onopen = (): void => undefined;
  onerror = (): void => undefined;
  readyState = 0;

  open(): void {
    this.readyState = 1;
    this.onopen();
  }

  /** @param readyState 0 when the browser connects again by itself, 2 after a response that is no stream */
  fail(readyState: 0 | 2): void {
    this.readyState = readyState;
    this.onerror();
  }

  close(): void {
    this.readyState = 2;
  }
}

/** The overview in a browser. */
function openPage() {
  const sources: Source[] = [];
  const state = { hidden: true };
  let follow = (): void => undefined;
  const document = {
    hidden: false,
    querySelectorAll: (selector: string) =>
      selector === '[data-events]' ? [{ id: 'transfers', dataset: { events: '/_ui/live' } }] : [],
    getElementById: (id: string) => (id === 'transfers-state' ? state : null),
    addEventListener: (_: string, listener: () => void) => (follow = listener),
  };
  const EventSource = class extends Source {
    constructor() {
      super();
      sources.push(this);
    }
  };
  runInNewContext(script, { document, navigator: {}, EventSource, setTimeout, clearTimeout });
  const show = (isShown: boolean) => {
    document.hidden = !isShown;
    follow();
  };
  return { sources, last: () => sources.at(-1)!, isLive: () => state.hidden, show };
}

describe('a page that follows events', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  it('says that it is not live when it is refused, and tries again ever later', () => {
    const { sources, last, isLive } = openPage();
    for (const seconds of [30, 60, 120, 240, 300, 300]) {
      const before = sources.length;
      last().fail(2);
      expect(isLive()).toBe(false);
      vi.advanceTimersByTime(seconds * 1_000 - 1);
      expect(sources).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sources).toHaveLength(before + 1);
    }
    last().open();
    expect(isLive()).toBe(true);
    last().fail(2);
    vi.advanceTimersByTime(30_000);
    expect(sources).toHaveLength(8);
  });

  it('leaves a stream that ended to the browser, and says so only when it does not come again', () => {
    const { sources, last, isLive } = openPage();
    for (let minute = 0; minute < 5; minute += 1) {
      last().open();
      vi.advanceTimersByTime(60_000);
      last().fail(0);
      expect(isLive()).toBe(true);
    }
    last().fail(0);
    last().fail(0);
    expect(isLive()).toBe(false);
    last().open();
    expect(isLive()).toBe(true);
    expect(sources).toHaveLength(1);
  });

  it('says so when nothing comes, as through a proxy that holds the stream back', () => {
    const { isLive, last } = openPage();
    vi.advanceTimersByTime(10_000);
    expect(isLive()).toBe(false);
    last().open();
    expect(isLive()).toBe(true);
  });

  it('asks for nothing while it is hidden', () => {
    const { sources, last, show } = openPage();
    last().fail(2);
    show(false);
    vi.advanceTimersByTime(600_000);
    expect(sources).toHaveLength(1);
    show(true);
    expect(sources).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
  });
});
