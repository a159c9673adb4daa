import type { Condition, RegistryState, RegistryView } from '../../../observability/status/status.view.js';
import { Table, type Column } from '../../components/table.js';
import { Name, Size, State, Time, useFormats } from '../../components/values.js';

const kinds: Readonly<Record<Condition, 'good' | 'bad' | 'idle'>> = {
  'not contacted': 'idle',
  up: 'good',
  degraded: 'bad',
  'credentials refused': 'bad',
};

export function Registries({ registries }: { readonly registries: readonly RegistryView[] }) {
  const formats = useFormats();
  const hasPushes = registries.some(({ pushed }) => pushed !== undefined);
  const columns: Column[] = [
    { name: 'Registry' },
    { name: 'State' },
    { name: 'Pulls remaining' },
    { name: 'Hit ratio', isNumber: true },
    { name: 'Sent to clients', isNumber: true },
    { name: 'Saved', isNumber: true },
    ...(hasPushes ? [{ name: 'Pushed', isNumber: true }] : []),
  ];
  const rows = registries.map(({ rateLimit, hits, misses, sent, saved, pushed, ...registry }) => [
    <Name name={registry.name} />,
    <States registry={registry} />,
    rateLimit === undefined
      ? '–'
      : `${formats.count(rateLimit.remaining)} of ${formats.count(rateLimit.limit)} in ${formats.duration(rateLimit.window * 1000)}`,
    formats.ratio(hits, hits + misses),
    <Size bytes={sent} />,
    <Size bytes={saved} />,
    ...(hasPushes ? [pushed === undefined ? '–' : <Size bytes={pushed} />] : []),
  ]);
  return (
    <Table
      id="registries-caption"
      caption="Configured registries, and all others together"
      columns={columns}
      rows={rows}
      isWide
    />
  );
}

function States({ registry: { state, fallbacks } }: { readonly registry: Pick<RegistryView, 'state' | 'fallbacks'> }) {
  if (state === undefined) return <>–</>;
  return (
    <>
      <StateText state={state} />
      {fallbacks.map(({ host, state: other }) => (
        <>
          <br />
          Fallback <Name name={host} />: <StateText state={other} />
        </>
      ))}
    </>
  );
}

function StateText({ state: { condition, reason, since } }: { readonly state: RegistryState }) {
  return (
    <>
      <State kind={kinds[condition]}>{condition}</State>
      {reason !== undefined && (
        <>
          : <Name name={`${reason}.`} />
        </>
      )}
      {condition !== 'up' && since !== undefined && (
        <>
          {' '}
          Since <Time at={since} />.
        </>
      )}
    </>
  );
}
