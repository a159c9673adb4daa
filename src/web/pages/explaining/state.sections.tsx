import type { ContentState, ExplainedContent, ExplainedUpstream } from '../../../registry/explaining/explanation.js';
import { Facts, Section } from '../../components/section.js';
import { Table } from '../../components/table.js';
import { Untrusted } from '../../components/untrusted.js';
import { Ago, Digest, State, useFormats } from '../../components/values.js';

const states: Record<ContentState, readonly ['good' | 'bad' | 'idle', string]> = {
  stored: ['good', 'stored'],
  elsewhere: ['idle', 'for another repository'],
  missing: ['idle', 'not stored'],
};

export function StoredSection({ stored: { manifest, images, isCut } }: { readonly stored: ExplainedContent }) {
  const formats = useFormats();
  const rows = images.map((image) => [
    <>{image.platform === undefined ? <Digest digest={image.digest} /> : <Untrusted text={image.platform} />}</>,
    <Kept state={image.state} />,
    // Nobody knows the blobs of a manifest that is not stored.
    image.blobs === 0 ? '–' : `${formats.count(image.storedBlobs)} of ${formats.count(image.blobs)}`,
    image.blobs === 0 ? '–' : `${formats.size(image.storedBytes)} of ${formats.size(image.bytes)}`,
    image.missing.length === 0 ? '–' : <>{image.missing.map((digest) => [<Digest digest={digest} />, ' '])}</>,
  ]);
  const columns = [
    { name: 'Image' },
    { name: 'Manifest' },
    { name: 'Blobs', isNumber: true },
    { name: 'Size', isNumber: true },
    { name: 'Missing' },
  ];
  return (
    <Section id="stored" title="What is stored">
      {manifest ? (
        <p>
          Manifest <Digest digest={manifest.digest} />: <Kept state={manifest.state} />
        </p>
      ) : (
        <p>Nothing that this reference is known to name.</p>
      )}
      {rows.length > 0 && (
        <Table id="images" caption="Images, and how much of them is stored" columns={columns} rows={rows} />
      )}
      {isCut && <p class="note">There are more.</p>}
    </Section>
  );
}

function Kept({ state }: { readonly state: ContentState }) {
  const [kind, text] = states[state];
  return <State kind={kind}>{text}</State>;
}

export function UpstreamSection({ upstream, now }: { readonly upstream: ExplainedUpstream; readonly now: number }) {
  const formats = useFormats();
  const { host, condition, reason, since, pauses, rateLimit, isSlow, lastResponse, fallbacks } = upstream;
  const paused = pauses.map(({ method, reason: why, seconds }) => (
    <li>
      <Untrusted
        text={`No ${method} is sent${seconds === undefined ? '' : ` for ${formats.duration(seconds * 1000)}`}: ${why}`}
      />
    </li>
  ));
  return (
    <Section id="upstream" title="The registry">
      <Facts
        facts={[
          ['Host', <code>{host}</code>],
          [
            'State',
            <State kind={condition === 'up' ? 'good' : condition === 'not-contacted' ? 'idle' : 'bad'}>
              {condition.replace('-', ' ')}
            </State>,
          ],
          ['Reason', reason !== undefined ? <Untrusted text={reason} /> : undefined],
          ['Since', since !== undefined ? <Ago at={Date.parse(since)} now={now} /> : undefined],
          ['Last request for this', lastResponse && <Response response={lastResponse} now={now} />],
          ['Speed', isSlow ? 'slow: what is stored is served without waiting for it' : undefined],
          [
            'Pull limit',
            rateLimit &&
              `${formats.count(rateLimit.remaining)} of ${formats.count(rateLimit.limit)} left in ${formats.duration(rateLimit.window * 1000)}`,
          ],
          [
            'Fallbacks',
            fallbacks.length > 0 ? fallbacks.map((each) => `${each.host} (${each.condition})`).join(', ') : undefined,
          ],
        ]}
      />
      {paused.length > 0 && <ul>{paused}</ul>}
    </Section>
  );
}

function Response({
  response: { method, host, status, reason, at },
  now,
}: {
  readonly response: NonNullable<ExplainedUpstream['lastResponse']>;
  readonly now: number;
}) {
  return (
    <>
      <code>{method}</code>
      {` to ${host}: ${status === undefined ? 'no response' : status}, `}
      <Ago at={Date.parse(at)} now={now} />
      {reason !== undefined && (
        <>
          {': '}
          <Untrusted text={reason} />
        </>
      )}
    </>
  );
}
