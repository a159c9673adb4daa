import type { HistoryEntry, ReplicaView } from '../../../observability/status/status.view.js';
import { totalOf } from '../../../registry/statistics/history/traffic.history.js';
import { Table } from '../../components/table.js';
import { Size, Time, useFormats } from '../../components/values.js';

/** What all processes on the storage did, over restarts. */
export function Periods({
  day,
  month,
}: {
  readonly day: readonly HistoryEntry[];
  readonly month: readonly HistoryEntry[];
}) {
  const formats = useFormats();
  const rowOf = (name: string, entries: readonly HistoryEntry[]) => {
    const { hits, misses, sent, received } = totalOf(entries);
    const saved = Math.max(0, sent - received);
    return [name, formats.ratio(hits, hits + misses), <Size bytes={sent} />, <Size bytes={saved} />];
  };
  const number = (name: string) => ({ name, isNumber: true });
  return (
    <Table
      id="periods"
      caption="All processes on this storage, over restarts"
      columns={[{ name: 'Period' }, number('Hit ratio'), number('Sent to clients'), number('Upstream traffic saved')]}
      rows={[rowOf('Last 24 hours', day), rowOf('Last 30 days', month)]}
    />
  );
}

export function Replicas({
  replicas,
  isPartial,
}: {
  readonly replicas: readonly ReplicaView[];
  readonly isPartial: boolean;
}) {
  return (
    <>
      <Table
        id="replicas-caption"
        caption="Processes on this storage; each tells of itself every five minutes"
        columns={[{ name: 'Process' }, { name: 'Version' }, { name: 'Started' }, { name: 'Seen' }]}
        rows={replicas.map(({ host, worker, version, startedAt, seenAt, isThisOne }, index) => [
          `${host ?? `Process ${index + 1}`}${worker === undefined ? '' : `, worker ${worker}`}${isThisOne ? ' (this one)' : ''}`,
          version,
          <Time at={startedAt} />,
          <Time at={seenAt} />,
        ])}
      />
      {isPartial && (
        <p>
          <span class="bad">What other processes did could not be read</span>: see the log of this server.
        </p>
      )}
    </>
  );
}
