import type { HistoryEntry } from '../../../observability/status/status.view.js';
import { Table } from '../../components/table.js';
import { Size, Time, useFormats } from '../../components/values.js';

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
export function TrafficChart({ history, now }: { readonly history: readonly HistoryEntry[]; readonly now: number }) {
  const formats = useFormats();
  const periods = periodsOf(history, now, barLength, bars);
  const sum = (key: 'sent' | 'received' | 'hits' | 'misses') => periods.reduce((total, each) => total + each[key], 0);
  const top = Math.max(1, ...periods.map(({ sent, received }) => Math.max(sent, received)));
  const summary =
    `In the last 24 hours clients received ${formats.size(sum('sent'))}, of which ${formats.size(sum('received'))} came from ` +
    `registries; ${formats.ratio(sum('hits'), sum('hits') + sum('misses'))} of the responses were cache hits.`;
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${height + 1}`} role="img" aria-labelledby="chart-title chart-summary">
        <title id="chart-title">Traffic of the last 24 hours</title>
        <desc id="chart-summary">{summary}</desc>
        <line class="axis" x1="0" y1={height} x2={width} y2={height} />
        {periods.map(({ sent, received }, index) => (
          <>
            <Bar series="sent" bytes={sent} x={index * step + 1} top={top} />
            <Bar series="received" bytes={received} x={index * step + 8} top={top} />
          </>
        ))}
      </svg>
      <p class="ends" aria-hidden="true">
        <span>24 h ago</span>
        <span>now</span>
      </p>
      <figcaption>
        <p>
          <span class="key sent" aria-hidden="true" /> to clients <span class="key received" aria-hidden="true" /> from
          registries; the highest bar is {formats.size(top === 1 ? 0 : top)} in half an hour.
        </p>
        <p>{summary}</p>
      </figcaption>
      <details>
        <summary>Hourly figures</summary>
        <Hourly periods={periodsOf(history, now, hour, 24)} />
      </details>
    </figure>
  );
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
function Bar({
  series,
  bytes,
  x,
  top,
}: {
  readonly series: string;
  readonly bytes: number;
  readonly x: number;
  readonly top: number;
}) {
  if (bytes <= 0) return <></>;
  const size = Math.max(1, Math.round((bytes / top) * height));
  return <rect class={series} x={x} y={height - size} width="6" height={size} />;
}

function Hourly({ periods }: { readonly periods: readonly Period[] }) {
  const formats = useFormats();
  const number = (name: string) => ({ name, isNumber: true });
  return (
    <Table
      id="hourly"
      caption="Traffic by the hour"
      columns={[{ name: 'Hour ending' }, number('To clients'), number('From registries'), number('Hit ratio')]}
      rows={periods.map(({ at, sent, received, hits, misses }) => [
        <Time at={at} />,
        <Size bytes={sent} />,
        <Size bytes={received} />,
        formats.ratio(hits, hits + misses),
      ])}
    />
  );
}
