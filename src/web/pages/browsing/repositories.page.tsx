import type { RepositoriesPage } from '../../../registry/browsing/browsed.js';
import { BrowsingService } from '../../../registry/browsing/browsing.service.js';
import { Table } from '../../components/table.js';
import { Ago, useFormats } from '../../components/values.js';
import type { PageFactory } from '../../page.js';
import { linkTo, longestSearch, markOf, searchOf, viewerOf } from './browsing.request.js';

/** Repositories of one page. */
const limit = 50;

interface Search {
  readonly text: string;
  readonly namespace: string;
  readonly last: string;
}

/** Every repository that something is stored of. */
export const repositoriesPage: PageFactory = (app) => {
  const browsing = app.get(BrowsingService);
  return {
    async show(context) {
      const namespace = (context.query.get('namespace') ?? '').slice(0, longestSearch);
      const search = { text: searchOf(context).toLowerCase(), namespace, last: markOf(context) };
      const page = await browsing.repositories(viewerOf(context.visitor), { ...search, limit });
      return {
        title: 'Repositories',
        note: 'What is stored here, mirrored or pushed.',
        content: (
          <>
            <SearchForm search={search} namespaces={page?.namespaces ?? []} />
            <div id="results" aria-live="polite">
              {page ? <Found page={page} search={search} now={context.now} /> : <Listing target={context.target} />}
            </div>
          </>
        ),
      };
    },
  };
};

function SearchForm({ search, namespaces }: { readonly search: Search; readonly namespaces: readonly string[] }) {
  return (
    <form
      class="actions"
      role="search"
      aria-label="Repositories"
      action="/_ui/repositories"
      method="get"
      data-live="results"
    >
      <input
        type="search"
        name="q"
        aria-label="Name contains"
        placeholder="Part of the name"
        maxlength={longestSearch}
        value={search.text}
      />
      <select name="namespace" aria-label="Registry">
        <option value="">All registries</option>
        {namespaces.map((name) => (
          <option value={name} selected={name === search.namespace}>
            {name}
          </option>
        ))}
      </select>
      <button type="submit">Search</button>
    </form>
  );
}

function Found({
  page,
  search,
  now,
}: {
  readonly page: RepositoriesPage;
  readonly search: Search;
  readonly now: number;
}) {
  const formats = useFormats();
  const { repositories, next, isWhole } = page;
  const { text, namespace, last } = search;
  if (repositories.length === 0)
    return (
      <p>{text === '' && namespace === '' && last === '' ? 'Nothing is stored yet.' : 'No repository matches.'}</p>
    );
  const rows = repositories.map(({ repository, isHosted, tags, usedAt }) => [
    <a href={linkTo('repository', { name: repository })}>{repository}</a>,
    isHosted ? 'pushed here' : 'mirrored',
    tags === undefined ? '–' : formats.count(tags),
    <Ago at={usedAt} now={now} />,
  ]);
  const columns = [{ name: 'Repository' }, { name: 'Origin' }, { name: 'Tags', isNumber: true }, { name: 'Last used' }];
  return (
    <>
      <Table id="repositories" caption="By name" columns={columns} rows={rows} />
      <p class="pages">
        {last !== '' && <a href={linkTo('repositories', { q: text, namespace })}>First page</a>}
        {next !== undefined && (
          <a rel="next" href={linkTo('repositories', { q: text, namespace, last: next })}>
            Next page
          </a>
        )}
      </p>
      {!isWhole && <p class="notice">There may be more than could be listed. Search for a part of the name.</p>}
    </>
  );
}

/** While a list is being made for the first time. */
export function Listing({ target }: { readonly target: string }) {
  return (
    <p class="notice">
      What is stored is being listed, which takes a while the first time. <a href={target}>Look again</a>
    </p>
  );
}
