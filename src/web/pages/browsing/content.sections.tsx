import type { RepositoryRef } from '../../../oci/repository.js';
import type { ImageView, PlatformEntry } from '../../../registry/browsing/browsed.js';
import { Section } from '../../components/section.js';
import { Table } from '../../components/table.js';
import { Untrusted, UntrustedCode } from '../../components/untrusted.js';
import { Digest, Size, useFormats } from '../../components/values.js';
import { imageLink } from './browsing.request.js';

/** The manifests of an index. */
export function PlatformsSection({
  image,
  repository,
}: {
  readonly image: ImageView;
  readonly repository: RepositoryRef;
}) {
  const { platforms, manifest } = image;
  const rows = platforms.map((entry) => [
    <a href={imageLink(repository, entry.digest.toString())}>
      <PlatformName entry={entry} platforms={platforms} />
    </a>,
    <Digest digest={entry.digest.toString()} />,
    entry.size === undefined ? '–' : <Size bytes={entry.size} />,
    entry.isStored ? 'yes' : 'no',
  ]);
  const columns = [{ name: 'Platform' }, { name: 'Digest' }, { name: 'Size', isNumber: true }, { name: 'Stored' }];
  return (
    <Section id="platforms" title="Platforms">
      <Table id="platform-table" caption="Each platform is an image of its own" columns={columns} rows={rows} />
      <More count={manifest?.more ?? 0} />
    </Section>
  );
}

function PlatformName({
  entry,
  platforms,
}: {
  readonly entry: PlatformEntry;
  readonly platforms: readonly PlatformEntry[];
}) {
  if (entry.platform !== '') return <Untrusted text={entry.platform} />;
  const about = platforms.find(({ digest }) => digest.toString() === entry.of);
  if (entry.of === undefined) return <>{entry.kind ? <Untrusted text={entry.kind.name} /> : 'Any platform'}</>;
  return (
    <>
      Attestation
      {about && about.platform !== '' && (
        <>
          {' for '}
          <Untrusted text={about.platform} />
        </>
      )}
    </>
  );
}

/** Layers, with the steps of the build that made them. */
export function LayersSection({ image }: { readonly image: ImageView }) {
  const { layers, manifest } = image;
  const rows = layers.map(({ layer, command, created }) => [
    command === undefined ? (
      <LayerType type={layer?.mediaType} title={layer?.told.title} />
    ) : (
      <UntrustedCode text={command} />
    ),
    layer?.size === undefined ? '–' : <Size bytes={layer.size} />,
    layer ? <Digest digest={layer.digest.toString()} /> : 'no layer',
    <Created text={created} />,
  ]);
  const hasHistory = layers.some(({ command }) => command !== undefined);
  const columns = [
    { name: hasHistory ? 'Command' : 'Content' },
    { name: 'Size', isNumber: true },
    { name: 'Layer' },
    { name: 'Made' },
  ];
  return (
    <Section id="layers" title="Layers">
      <Table id="layer-table" caption="In the order of the build" columns={columns} rows={rows} />
      <More count={manifest?.more ?? 0} />
    </Section>
  );
}

function LayerType({ type, title }: { readonly type: string | undefined; readonly title: string | undefined }) {
  return (
    <>
      {title !== undefined && (
        <>
          <Untrusted text={title} />,{' '}
        </>
      )}
      <Untrusted text={type ?? 'unknown type'} />
    </>
  );
}

/** A date as an image writes it: many are of no calendar, or none at all, which Go writes as the year 1. */
export function Created({ text }: { readonly text: string | undefined }) {
  const formats = useFormats();
  if (text === undefined || text.startsWith('0001-01-01T')) return <>–</>;
  const at = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\dT/.test(text) || !Number.isFinite(at)) return <Untrusted text={text} />;
  return <time datetime={new Date(at).toISOString()}>{formats.time(at)}</time>;
}

function More({ count }: { readonly count: number }) {
  const formats = useFormats();
  return count === 0 ? <></> : <p class="note">{formats.count(count)} more are in the raw manifest.</p>;
}
