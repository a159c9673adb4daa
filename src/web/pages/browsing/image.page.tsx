import { OciError } from '../../../oci/error.js';
import type { Reference } from '../../../oci/reference.js';
import { Digest as ImageDigest } from '../../../oci/digest.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { ImageView } from '../../../registry/browsing/browsed.js';
import { BrowsingService } from '../../../registry/browsing/browsing.service.js';
import { Facts, Section, Snippet } from '../../components/section.js';
import { Untrusted } from '../../components/untrusted.js';
import { Ago, Digest, Size } from '../../components/values.js';
import type { PageContext } from '../../page.context.js';
import type { PageFactory } from '../../page.js';
import { ActionLinks } from '../actions/action.links.js';
import { imageLink, linkTo, referenceOf, repositoryOf, viewerOf } from './browsing.request.js';
import { ChartSection, ConfigSection, Entries } from './config.sections.js';
import { LayersSection, PlatformsSection } from './content.sections.js';
import { artifactCommands, chartCommands, imageCommands, pullSource } from './pull-commands.js';
import { ReferrersSection } from './referrers.section.js';
import { NextCheck, TagState } from './repository.page.js';

/** What a tag or digest names. */
export const imagePage: PageFactory = (app) => {
  const browsing = app.get(BrowsingService);
  return {
    async show(context) {
      const [repository, reference] = [repositoryOf(context), referenceOf(context)];
      const image = await browsing.image(viewerOf(context.visitor), repository, reference);
      if (!image) throw new OciError('NOT_FOUND');
      const separator = reference instanceof ImageDigest ? '@' : ':';
      return {
        title: `${repository.toString()}${separator}${reference.toString()}`,
        note: (
          <>
            <a href={linkTo('repository', { name: repository.toString() })}>All tags</a>
            {' · '}
            <a href={linkTo('explain', { ref: `${repository.toString()}${separator}${reference.toString()}` })}>
              Explain its pulls
            </a>
          </>
        ),
        content: <Image image={image} repository={repository} reference={reference} context={context} />,
      };
    },
  };
};

interface Shown {
  readonly image: ImageView;
  readonly repository: RepositoryRef;
  readonly reference: Reference;
  readonly context: PageContext;
}

function Image(shown: Shown) {
  const { image, repository } = shown;
  const { manifest, config, chart } = image;
  return (
    <>
      <Summary {...shown} />
      <Problem image={image} />
      <Section id="pull" title="Pull">
        <PullCommands {...shown} />
      </Section>
      {chart && <ChartSection chart={chart} />}
      {image.platforms.length > 0 && <PlatformsSection image={image} repository={repository} />}
      <ReferrersSection image={image} repository={repository} />
      {image.layers.length > 0 && <LayersSection image={image} />}
      {config && <ConfigSection config={config} />}
      {manifest && manifest.annotations.entries.length > 0 && (
        <Section id="annotations" title="Annotations">
          <Entries entries={manifest.annotations} />
        </Section>
      )}
      <ActionLinks
        visitor={shown.context.visitor}
        image={{ repository, reference: shown.reference }}
        kind={image.isHosted ? 'hosted' : 'mirrored'}
      />
      <Section id="raw" title="Manifest">
        <p>
          <a href={linkTo('raw', { name: repository.toString(), reference: image.digest.toString() })}>Raw manifest</a>{' '}
          of <Size bytes={image.size} />, <code>{image.mediaType}</code>
        </p>
      </Section>
    </>
  );
}

function Summary({ image, repository, context: { now } }: Shown) {
  const { manifest, config, digest, isHosted, tag, at, usedAt, freshness } = image;
  const isMirroredTag = !isHosted && tag !== undefined;
  return (
    <Facts
      facts={[
        ['Kind', manifest && <Untrusted text={manifest.kind.name} />],
        ['Digest', <Digest digest={digest.toString()} isWhole />],
        [
          'Platform',
          config?.platform !== undefined && config.platform !== '' ? <Untrusted text={config.platform} /> : undefined,
        ],
        ['Size', manifest && manifest.size > 0 ? <Size bytes={manifest.size} /> : undefined],
        [
          'About',
          manifest?.subject && (
            <a href={imageLink(repository, manifest.subject.toString())}>
              <Digest digest={manifest.subject.toString()} />
            </a>
          ),
        ],
        [isHosted ? 'Pushed' : 'Confirmed by the registry', at !== undefined ? <Ago at={at} now={now} /> : undefined],
        [
          isHosted ? 'Last pull or push' : 'Last pull',
          usedAt !== undefined ? <Ago at={usedAt} now={now} /> : undefined,
        ],
        ['State', isMirroredTag ? <TagState freshness={freshness} /> : undefined],
        ['Next check', isMirroredTag ? <NextCheck freshness={freshness} now={now} /> : undefined],
        ['Origin', isHosted ? 'pushed here' : 'mirrored'],
      ]}
    />
  );
}

const problems = {
  'not stored': 'Its manifest is not stored here. It is when a client has pulled it.',
  'too large': 'Its manifest is too large to be shown here.',
  unreadable: 'Its manifest cannot be read.',
} as const;

function Problem({ image: { problem } }: { readonly image: ImageView }) {
  return problem === undefined ? <></> : <p class="notice">{problems[problem]}</p>;
}

function PullCommands({ image, repository, reference, context }: Shown) {
  const source = pullSource(context.server, repository, reference);
  if (!source)
    return (
      <p>
        {context.server
          ? 'A registry with a port has no place in an image name: clients pull from it through their configuration.'
          : 'Open this page at the address that clients use to see the commands.'}{' '}
        <a href="/_ui/setup">Set up clients</a>
      </p>
    );
  const kind = image.manifest?.kind.kind ?? 'image';
  const commandsOf =
    kind === 'chart' ? chartCommands : kind === 'image' || kind === 'index' ? imageCommands : artifactCommands;
  const [first, ...others] = commandsOf(source);
  return (
    <>
      {first && <Snippet text={first.command} label={`the command of ${first.client}`} />}
      <details>
        <summary>Other clients</summary>
        {others.map(({ client, command }) => (
          <>
            <h3>{client}</h3>
            <Snippet text={command} label={`what ${client} needs`} />
          </>
        ))}
      </details>
    </>
  );
}
