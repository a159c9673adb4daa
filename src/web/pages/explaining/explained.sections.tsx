import type { ExplainedAccess } from '../../../admin/explaining/access.explanation.js';
import type { Explanation, ExplainedOutcome, ExplainedRule } from '../../../registry/explaining/explanation.js';
import { Facts, Section } from '../../components/section.js';
import { Untrusted } from '../../components/untrusted.js';
import { Ago, Digest, Size, State, Time, useFormats } from '../../components/values.js';

const kinds: Record<ExplainedOutcome['outcome'] | Explanation['now']['outcome'], 'good' | 'bad' | 'idle'> = {
  hit: 'good',
  miss: 'idle',
  revalidated: 'good',
  stale: 'bad',
  refused: 'bad',
  failed: 'bad',
  ask: 'idle',
  unknown: 'idle',
};

interface Explained {
  readonly explanation: Explanation;
  readonly now: number;
}

export function LastSection({ explanation: { last }, now }: Explained) {
  return (
    <Section id="last" title="The last pull">
      <Outcome outcome={last} now={now} />
      {last.before && (
        <>
          <h3>Before that</h3>
          <Outcome outcome={last.before} now={now} />
        </>
      )}
    </Section>
  );
}

function Outcome({
  outcome: { outcome, at, digest, why },
  now,
}: {
  readonly outcome: ExplainedOutcome;
  readonly now: number;
}) {
  return (
    <>
      <p>
        <State kind={kinds[outcome]}>{outcome}</State> {at !== undefined && <Ago at={Date.parse(at)} now={now} />}
        {digest !== undefined && (
          <>
            {' '}
            <Digest digest={digest} />
          </>
        )}
      </p>
      <p>
        <Untrusted text={sentence(why)} />
      </p>
    </>
  );
}

export function NowSection({ explanation: { now, refusal } }: Pick<Explained, 'explanation'>) {
  const { request } = now;
  const credentials = request?.credentials;
  return (
    <Section id="now" title="A pull now">
      <p>
        <State kind={kinds[now.outcome]}>{now.outcome === 'ask' ? 'the registry decides' : now.outcome}</State>
      </p>
      <p>
        <Untrusted text={sentence(now.reason)} />
      </p>
      <Facts
        facts={[
          ['Request', request && <code>{`${request.method} ${request.url}`}</code>],
          ['When', request && (request.inBackground ? 'behind the response' : 'before the response')],
          ['Credentials', request && (credentials ? <Credentials {...credentials} /> : 'none, or not for you to see')],
          ['Remembered refusal', refusal && <Untrusted text={`${refusal.reason}, for another ${refusal.seconds} s`} />],
        ]}
      />
    </Section>
  );
}

function Credentials({
  source,
  identities,
  problem,
}: {
  readonly source: string;
  readonly identities: readonly string[];
  readonly problem?: string;
}) {
  return (
    <>
      {`${source}${identities.length === 0 ? '' : `: ${identities.join(', ')}`}`}
      {problem !== undefined && (
        <>
          {' '}
          <State kind="bad">{problem}</State>
        </>
      )}
    </>
  );
}

export function RecordSection({ explanation: { record, rule, kind }, now }: Explained) {
  const until = record?.freshUntil;
  return (
    <Section id="record" title="The record of the tag">
      <Facts
        facts={[
          ['Digest', record && <Digest digest={record.digest} isWhole />],
          ['Type', record && <code>{record.mediaType}</code>],
          ['Size', record && <Size bytes={record.size} />],
          [
            'At this digest since',
            record?.resolvedAt !== undefined ? <Time at={Date.parse(record.resolvedAt)} /> : undefined,
          ],
          [
            kind === 'hosted' ? 'Pushed' : 'Confirmed by the registry',
            record && <Ago at={Date.parse(record.confirmedAt)} now={now} />,
          ],
          [
            'State',
            record && (
              <State kind={record.freshness === 'fresh' || record.freshness === 'permanent' ? 'good' : 'idle'}>
                {record.freshness}
              </State>
            ),
          ],
          ['Fresh until', until !== undefined ? <Time at={Date.parse(until)} /> : undefined],
          ['Named by the fallback', record?.fallback],
          ['Rule', rule && <Rule rule={rule} />],
        ]}
      />
      {!record && <p>There is none.</p>}
    </Section>
  );
}

function Rule({ rule }: { readonly rule: ExplainedRule }) {
  const formats = useFormats();
  const { lifetime, setting, pattern, isDefault, staleWhileRevalidate, maxStale } = rule;
  const seconds = (value: number) => formats.duration(value * 1000);
  return (
    <>
      {`${typeof lifetime === 'number' ? `fresh for ${seconds(lifetime)}` : lifetime} by `}
      <code>{setting}</code>
      {pattern !== undefined && (
        <>
          {' with pattern '}
          <code>{pattern}</code>
        </>
      )}
      {isDefault && ' (default)'}
      {staleWhileRevalidate > 0 && `, then ${seconds(staleWhileRevalidate)} while it is confirmed behind the response`}
      {maxStale !== undefined && `, never stale for more than ${seconds(maxStale)}`}
    </>
  );
}

export function AccessSection({
  access: { isEnabled, rules, decision },
  reference,
  query,
}: {
  readonly access: ExplainedAccess;
  readonly reference: string;
  readonly query: URLSearchParams;
}) {
  if (!isEnabled)
    return (
      <Section id="access" title="Who may pull it">
        <p>Everybody who reaches this server: there is no access file.</p>
      </Section>
    );
  return (
    <Section id="access" title="Who may pull it">
      {decision && (
        <p>
          <State kind={decision.isAllowed ? 'good' : 'bad'}>{decision.isAllowed ? 'allowed' : 'denied'}</State>{' '}
          <Untrusted text={decision.as} />
          {decision.rule !== undefined && ` by access.rules[${decision.rule}]`}
        </p>
      )}
      {rules.length === 0 ? (
        <p>Nobody: no rule of the access file allows it.</p>
      ) : (
        <ul>
          {rules.map(({ rule, who, filling }) => (
            <li>
              {`access.rules[${rule}]: ${who.join(', ')}${filling === undefined ? '' : `, where the rule stands for ${filling}`}`}
            </li>
          ))}
        </ul>
      )}
      <form class="actions" method="get" action="/_ui/explain">
        <input type="hidden" name="ref" value={reference} />
        <label for="as">As somebody</label>{' '}
        <input id="as" name="as" type="text" placeholder="user:anna" maxlength={512} value={query.get('as') ?? ''} />{' '}
        <button type="submit">Check</button>
      </form>
    </Section>
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
