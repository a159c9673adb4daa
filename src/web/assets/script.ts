/** What pages do better with a script; all of them work without. Every text goes through textContent. */
export const script = `'use strict';
for (const box of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) break;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', 'Copy ' + box.dataset.copy);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(box.querySelector('code').textContent);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  box.append(button);
}
for (const { id, dataset } of document.querySelectorAll('[data-events]')) {
  const state = document.getElementById(id + '-state');
  let source, timer, failures = 0, delay = 30000;
  const tell = () => { state.hidden = false; };
  // A hidden page gives its connection back: browsers have few for one server.
  const follow = () => {
    clearTimeout(timer);
    source?.close();
    if (document.hidden) return;
    source = new EventSource(dataset.events);
    timer = setTimeout(tell, 10000);
    source.onopen = () => {
      clearTimeout(timer);
      [failures, delay, state.hidden] = [0, 30000, true];
    };
    source.onerror = () => {
      failures += 1;
      // Browsers connect again after a stream that ended, and never after a refusal.
      const isOver = source.readyState === EventSource.CLOSED;
      if (isOver || failures > 2) tell();
      if (!isOver) return;
      clearTimeout(timer);
      timer = setTimeout(follow, delay);
      delay = Math.min(2 * delay, 300000);
    };
    source.onmessage = ({ data }) => {
      const page = new DOMParser().parseFromString(JSON.parse(data), 'text/html');
      const [now, next] = [document, page].map((each) => each.getElementById(id));
      if (now && next && !now.contains(document.activeElement)) now.replaceWith(next);
    };
  };
  document.addEventListener('visibilitychange', follow);
  follow();
}
for (const form of document.querySelectorAll('form[data-live]')) {
  let timer, running;
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      running?.abort();
      running = new AbortController();
      const url = new URL(form.action);
      url.search = new URLSearchParams(new FormData(form)).toString();
      try {
        const response = await fetch(url, { signal: running.signal });
        if (!response.ok) return;
        const page = new DOMParser().parseFromString(await response.text(), 'text/html');
        const [now, next] = [document, page].map((each) => each.getElementById(form.dataset.live));
        if (now && next) now.replaceWith(next);
        history.replaceState(null, '', url);
      } catch (error) {
        if (error.name !== 'AbortError') form.submit();
      }
    }, 250);
  });
}
`;
