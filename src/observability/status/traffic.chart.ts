import { html, type Html } from './html.js';
import type { HistoryEntry } from './status.view.js';
import { ratioText, sizeText, timeText } from './text.js';

const hour = 3_600_000;
/** Bars of half an hour over a day, in SVG units. */
const bars = 48;
const barLength = hour / 2;
const step = 15;
const width = bars * step;
const height = 120;

interface Period {
  /** End, milliseconds since 1970. */
  readonly at: number;
  sent: number;
  received: number;
  hits: number;
  misses: number;
}

/** Bytes to clients and from registries over the last day, as a chart, a sentence and an hourly table. */
export function trafficChart(history: readonly HistoryEntry[], now: number): Html {
  const periods = periodsOf(history, now, barLength, bars);
  const sum = (key: 'sent' | 'received' | 'hits' | 'misses') => periods.reduce((total, each) => total + each[key], 0);
  const top = Math.max(1, ...periods.map(({ sent, received }) => Math.max(sent, received)));
  const summary =
    `In the last 24 hours clients received ${sizeText(sum('sent'))}, of which ${sizeText(sum('received'))} came from ` +
    `registries; ${ratioText(sum('hits'), sum('hits') + sum('misses'))} of the responses were cache hits.`;
  return html`<figure>
    <svg viewBox="0 0 ${width} ${height + 22}" role="img" aria-labelledby="chart-title chart-summary">
      <title id="chart-title">Traffic of the last 24 hours</title>
      <desc id="chart-summary">${summary}</desc>
      <line class="axis" x1="0" y1="${height}" x2="${width}" y2="${height}" />
      ${periods.map((period, index) => bar(period, index * step, top))}
      <text x="0" y="${height + 17}">24 h ago</text>
      <text x="${width}" y="${height + 17}" text-anchor="end">now</text>
    </svg>
    <figcaption>
      <p>
        <span class="key sent" aria-hidden="true"></span> to clients
        <span class="key received" aria-hidden="true"></span> from registries; the highest bar is
        ${sizeText(top === 1 ? 0 : top)} in half an hour.
      </p>
      <p>${summary}</p>
    </figcaption>
    <details>
      <summary>Hourly figures</summary>
      ${hourly(periodsOf(history, now, hour, 24))}
    </details>
  </figure>`;
}

function periodsOf(history: readonly HistoryEntry[], now: number, length: number, count: number): Period[] {
  const periods = Array.from({ length: count }, (_, index) => {
    return { at: now - (count - 1 - index) * length, sent: 0, received: 0, hits: 0, misses: 0 };
  });
  for (const { at, sent, received, hits, misses } of history) {
    const period = periods[count - 1 - Math.floor(Math.max(0, now - at) / length)];
    if (period === undefined) continue;
    period.sent += sent;
    period.received += received;
    period.hits += hits;
    period.misses += misses;
  }
  return periods;
}

/** A value above zero is at least one unit high, so that it is visible. */
function bar({ sent, received }: Period, x: number, top: number): Html {
  const column = (bytes: number, offset: number, series: 'sent' | 'received') => {
    const size = bytes > 0 ? Math.max(1, Math.round((bytes / top) * height)) : 0;
    return size === 0
      ? undefined
      : html`<rect class="${series}" x="${x + offset}" y="${height - size}" width="6" height="${size}" />`;
  };
  return html`${column(sent, 1, 'sent')}${column(received, 8, 'received')}`;
}

function hourly(periods: readonly Period[]): Html {
  return html`<div class="scroll" role="region" aria-labelledby="hourly" tabindex="0">
    <table>
      <caption id="hourly">
        Traffic by the hour
      </caption>
      <thead>
        <tr>
          <th scope="col">Hour ending</th>
          <th scope="col" class="number">To clients</th>
          <th scope="col" class="number">From registries</th>
          <th scope="col" class="number">Hit ratio</th>
        </tr>
      </thead>
      <tbody>
        ${periods.map(
          ({ at, sent, received, hits, misses }) =>
            html`<tr>
              <th scope="row"><time datetime="${new Date(at).toISOString()}">${timeText(at)}</time></th>
              <td class="number">${sizeText(sent)}</td>
              <td class="number">${sizeText(received)}</td>
              <td class="number">${ratioText(hits, hits + misses)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
