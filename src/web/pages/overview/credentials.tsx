import type { CredentialView } from '../../../observability/status/status.view.js';
import { Table } from '../../components/table.js';
import { Time } from '../../components/values.js';

/** Whose credentials registries are sent, and until when. @param now in milliseconds since 1970 */
export function Credentials({
  credentials,
  now,
}: {
  readonly credentials: readonly CredentialView[];
  readonly now: number;
}) {
  const rows = credentials.map(({ registry, source, repositories, expiresAt, ...state }) => [
    registry,
    repositories.length === 0 ? source : `${source} for ${repositories.join(', ')}`,
    <Identities state={state} />,
    expiresAt === undefined ? (
      '–'
    ) : (
      <span class={expiresAt > now ? undefined : 'bad'}>
        <Time at={expiresAt} />
      </span>
    ),
  ]);
  return (
    <Table
      id="credentials-caption"
      caption="Credentials that registries are sent"
      columns={[{ name: 'Registry' }, { name: 'Source' }, { name: 'Credentials' }, { name: 'Valid until' }]}
      rows={rows}
    />
  );
}

function Identities({
  state: { identities, problem },
}: {
  readonly state: Pick<CredentialView, 'identities' | 'problem'>;
}) {
  const whose = identities.length === 0 ? undefined : identities.join(', ');
  if (problem === undefined) return <>{whose ?? 'not needed yet'}</>;
  if (whose === undefined)
    return (
      <>
        <span class="bad">none</span>: {problem}.
      </>
    );
  return (
    <>
      {whose}
      <br />
      <span class="bad">cannot be renewed</span>: {problem}.
    </>
  );
}
