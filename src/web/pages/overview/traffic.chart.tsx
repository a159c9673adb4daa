import type { HistoryEntry } from '../../../observability/status/status.view.js';
import { Table } from '../../components/table.js';
import { Size, Time, useFormats } from '../../components/values.js';

const [hour, day] = [3_600_000, 86_400_000];
/** In SVG units. */
const width = 720;
const height = 120;

/** How a span of time is drawn and told. Lengths are milliseconds. */
interface Scale {
  readonly name: string;
  readonly start: string;
  readonly bar: { readonly length: number; readonly count: number; readonly name: string };
  readonly row: { readonly length: number; readonly count: number; readonly unit: string; readonly title: string };
}

const scales: Readonly<Record<'day' | 'month', Scale>> = {
  day: {
    name: '24 hours',
    start: '24 h ago',
    bar: { length: hour / 2, count: 48, name: 'half an hour' },
    row: { length: hour, count: 24, unit: 'Hour', title: 'Hourly figures' },
  },
  month: {
    name: '30 days',
    start: '30 days ago',
    bar: { length: day / 2, count: 60, name: 'half a day' },
    row: { length: day, count: 30, unit: 'Day', title: 'Daily figures' },
  },
};

interface Period {
  /** End, milliseconds since 1970. */
  readonly at: number;
  sent: number;
  received: number;
  hits: number;
  misses: number;
}

/** Bytes to clients and from registries over a day or a month, as a chart, a sentence and a table. */
export function TrafficChart({
  history,
  now,
  span = 'day',
}: {
  readonly history: readonly HistoryEntry[];
  readonly now: number;
  readonly span?: 'day' | 'month';
}) {
  const formats = useFormats();
  const { name, start, bar, row } = scales[span];
  const periods = periodsOf(history, now, bar.length, bar.count);
  const step = width / bar.count;
  const thickness = Math.floor(step / 2) - 1;
  const sum = (key: 'sent' | 'received' | 'hits' | 'misses') => periods.reduce((total, each) => total + each[key], 0);
  const top = Math.max(1, ...periods.map(({ sent, received }) => Math.max(sent, received)));
  const summary =
    `In the last ${name} clients received ${formats.size(sum('sent'))}, of which ${formats.size(sum('received'))} came from ` +
    `registries; ${formats.ratio(sum('hits'), sum('hits') + sum('misses'))} of the responses were cache hits.`;
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${height + 1}`} role="img" aria-labelledby={`${span}-chart ${span}-chart-summary`}>
        <title id={`${span}-chart`}>Traffic of the last {name}</title>
        <desc id={`${span}-chart-summary`}>{summary}</desc>
        <line class="axis" x1="0" y1={height} x2={width} y2={height} />
        {periods.map(({ sent, received }, index) => (
          <>
            <Bar series="sent" bytes={sent} x={index * step + 1} top={top} thickness={thickness} />
            <Bar series="received" bytes={received} x={index * step + 2 + thickness} top={top} thickness={thickness} />
          </>
        ))}
      </svg>
      <p class="ends" aria-hidden="true">
        <span>{start}</span>
        <span>now</span>
      </p>
      <figcaption>
        <p>
          <span class="key sent" aria-hidden="true" /> to clients <span class="key received" aria-hidden="true" /> from
          registries; the highest bar is {formats.size(top === 1 ? 0 : top)} in {bar.name}.
        </p>
        <p>{summary}</p>
      </figcaption>
      <details>
        <summary>{row.title}</summary>
        <Figures span={span} unit={row.unit} periods={periodsOf(history, now, row.length, row.count)} />
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
  thickness,
}: {
  readonly series: string;
  readonly bytes: number;
  readonly x: number;
  readonly top: number;
  readonly thickness: number;
}) {
  if (bytes <= 0) return <></>;
  const size = Math.max(1, Math.round((bytes / top) * height));
  return <rect class={series} x={x} y={height - size} width={thickness} height={size} />;
}

function Figures({
  span,
  unit,
  periods,
}: {
  readonly span: string;
  readonly unit: string;
  readonly periods: readonly Period[];
}) {
  const formats = useFormats();
  const number = (name: string) => ({ name, isNumber: true });
  return (
    <Table
      id={`${span}-figures`}
      caption={`Traffic by the ${unit.toLowerCase()}`}
      columns={[{ name: `${unit} ending` }, number('To clients'), number('From registries'), number('Hit ratio')]}
      rows={periods.map(({ at, sent, received, hits, misses }) => [
        <Time at={at} />,
        <Size bytes={sent} />,
        <Size bytes={received} />,
        formats.ratio(hits, hits + misses),
      ])}
    />
  );
}
