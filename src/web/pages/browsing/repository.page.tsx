import { OciError } from '../../../oci/error.js';
import type { RepositoryRef } from '../../../oci/repository.js';
import type { TagContent, TagFreshness, TagsPage, TagSort } from '../../../registry/browsing/browsed.js';
import { BrowsingService } from '../../../registry/browsing/browsing.service.js';
import { Table, type Column } from '../../components/table.js';
import { Untrusted } from '../../components/untrusted.js';
import { Ago, Digest, Size, State, useFormats } from '../../components/values.js';
import type { PageFactory } from '../../page.js';
import { imageLink, linkTo, longestSearch, markOf, repositoryOf, searchOf, viewerOf } from './browsing.request.js';
import { Listing } from './repositories.page.js';

/** Tags of one page. */
const limit = 50;

interface Shown {
  readonly repository: RepositoryRef;
  readonly text: string;
  readonly sort: TagSort;
  readonly last: string;
  readonly now: number;
}

/** The tags of one repository. */
export const repositoryPage: PageFactory = (app) => {
  const browsing = app.get(BrowsingService);
  return {
    async show(context) {
      const repository = repositoryOf(context);
      const sort = context.query.get('sort') === 'time' ? 'time' : 'name';
      const shown = { repository, text: searchOf(context), sort, last: markOf(context), now: context.now } as const;
      const page = await browsing.tags(viewerOf(context.visitor), repository, { ...shown, limit });
      if (!page) throw new OciError('NOT_FOUND');
      return {
        title: repository.toString(),
        content: page === 'listing' ? <Listing target={context.target} /> : <Tags page={page} shown={shown} />,
      };
    },
  };
};

function Tags({ page, shown }: { readonly page: TagsPage; readonly shown: Shown }) {
  const { repository, text, sort, last } = shown;
  const name = repository.toString();
  const link = (more: Record<string, string>) => linkTo('repository', { name, q: text, sort, ...more });
  return (
    <>
      <form class="actions" role="search" aria-label="Tags" action="/_ui/repository" method="get" data-live="results">
        <input type="hidden" name="name" value={name} />
        <input type="hidden" name="sort" value={sort} />
        <input
          type="search"
          name="q"
          aria-label="Tag contains"
          placeholder="Part of the tag"
          maxlength={longestSearch}
          value={text}
        />
        <button type="submit">Find tags</button>
      </form>
      <div id="results" aria-live="polite">
        {page.untagged.length > 0 && <Untagged repository={repository} page={page} />}
        {page.tags.length > 0 && <TagTable page={page} shown={shown} />}
        {page.tags.length + page.untagged.length === 0 && <p>No tag matches.</p>}
        <p class="pages">
          {last !== '' && <a href={link({})}>First page</a>}
          {page.next !== undefined && (
            <a rel="next" href={link({ last: page.next })}>
              Next page
            </a>
          )}
        </p>
        {!page.isWhole && <p class="notice">There may be more than could be listed. Search for a part of the tag.</p>}
      </div>
    </>
  );
}

function TagTable({
  page,
  shown: { repository, text, sort, now },
}: {
  readonly page: TagsPage;
  readonly shown: Shown;
}) {
  const sorted = (by: TagSort) => linkTo('repository', { name: repository.toString(), q: text, sort: by });
  const columns: Column[] = [
    { name: 'Tag', sortLink: sorted('name'), ...(sort === 'name' && { order: 'ascending' }) },
    { name: 'Digest' },
    { name: 'Size', isNumber: true },
    { name: 'Kind and platforms' },
    {
      name: page.isHosted ? 'Last pull or push' : 'Last pull',
      sortLink: sorted('time'),
      ...(sort === 'time' && { order: 'descending' }),
    },
    { name: page.isHosted ? 'Pushed' : 'Confirmed' },
    ...(page.isHosted ? [] : [{ name: 'State' }, { name: 'Next check' }]),
  ];
  const rows = page.tags.map((tag) => [
    <a href={imageLink(repository, tag.name)}>{tag.name}</a>,
    <Digest digest={tag.digest.toString()} />,
    <ContentSize content={tag.content} />,
    <Content content={tag.content} />,
    tag.usedAt === undefined ? '–' : <Ago at={tag.usedAt} now={now} />,
    <Ago at={tag.at} now={now} />,
    ...(page.isHosted
      ? []
      : [<TagState freshness={tag.freshness} />, <NextCheck freshness={tag.freshness} now={now} />]),
  ]);
  const caption = sort === 'time' ? 'Last used first' : 'By name';
  return <Table id="tags" caption={caption} columns={columns} rows={rows} isWide />;
}

function ContentSize({ content }: { readonly content: TagContent | undefined }) {
  if (content?.size === undefined) return <>–</>;
  return (
    <>
      <Size bytes={content.size} />
      {content.sizeOf !== undefined && (
        <>
          {' for '}
          <Untrusted text={content.sizeOf} />
        </>
      )}
    </>
  );
}

function Content({ content }: { readonly content: TagContent | undefined }) {
  if (!content) return <span class="note">not stored</span>;
  const { kind, platforms } = content;
  return (
    <>
      {(kind.kind !== 'image' || platforms.length === 0) && <Untrusted text={kind.name} />}
      {platforms.map((platform, index) => (
        <>
          {index > 0 || kind.kind !== 'image' ? ', ' : ''}
          <Untrusted text={platform} />
        </>
      ))}
    </>
  );
}

const states = {
  fresh: ['good', 'fresh'],
  ageing: ['good', 'checked with the next pull'],
  stale: ['idle', 'due for a check'],
  expired: ['bad', 'expired'],
} as const;

export function TagState({ freshness }: { readonly freshness: TagFreshness | undefined }) {
  if (!freshness) return <>–</>;
  const [kind, text] = states[freshness.state];
  return <State kind={kind}>{text}</State>;
}

/** When a pull asks the upstream again at the latest. */
export function NextCheck({ freshness, now }: { readonly freshness: TagFreshness | undefined; readonly now: number }) {
  const formats = useFormats();
  if (!freshness) return <>–</>;
  const { nextCheck } = freshness;
  if (nextCheck === undefined) return <>with the next pull</>;
  return (
    <time datetime={new Date(nextCheck).toISOString()} title={formats.time(nextCheck)}>
      in {formats.duration(nextCheck - now)}
    </time>
  );
}

function Untagged({ repository, page }: { readonly repository: RepositoryRef; readonly page: TagsPage }) {
  const rows = page.untagged.map((digest) => [
    <a href={imageLink(repository, digest.toString())}>
      <Digest digest={digest.toString()} />
    </a>,
  ]);
  return <Table id="untagged" caption="No tags: clients pull by digest" columns={[{ name: 'Digest' }]} rows={rows} />;
}
