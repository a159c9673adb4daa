import type { PageFactory } from './page.js';

export interface PageEntry {
  /** Of the route. Only its last segment may be a parameter. */
  readonly path: string;
  /** In the navigation; undefined for pages that others link to. */
  readonly name?: string;
  /** Whether only who administers the whole server gets it; for everybody else it does not exist. */
  readonly isForAdministrators?: boolean;
  /** Whether it takes forms. */
  readonly takesForms?: boolean;
  /** Loads the page's module, with the first request for it. */
  readonly load: () => Promise<PageFactory>;
}

/** At `/`, for browsers only: probes and clients get `ok` there. */
export const overview: PageEntry = {
  path: '/',
  name: 'Overview',
  load: () => import('./pages/overview/overview.page.js').then(({ overviewPage }) => overviewPage),
};

/** Every page but the overview at `/`. A page is its module in `pages/` and an entry here. */
export const pages: readonly PageEntry[] = [
  {
    path: '/_ui/repositories',
    name: 'Repositories',
    load: () => import('./pages/browsing/repositories.page.js').then(({ repositoriesPage }) => repositoriesPage),
  },
  {
    path: '/_ui/repository',
    load: () => import('./pages/browsing/repository.page.js').then(({ repositoryPage }) => repositoryPage),
  },
  { path: '/_ui/image', load: () => import('./pages/browsing/image.page.js').then(({ imagePage }) => imagePage) },
  { path: '/_ui/raw', load: () => import('./pages/browsing/raw.page.js').then(({ rawPage }) => rawPage) },
  {
    path: '/_ui/explain',
    name: 'Explain',
    load: () => import('./pages/explaining/explain.page.js').then(({ explainPage }) => explainPage),
  },
  {
    path: '/_ui/actions',
    name: 'Actions',
    isForAdministrators: true,
    load: () => import('./pages/actions/actions.page.js').then(({ actionsPage }) => actionsPage),
  },
  {
    path: '/_ui/actions/:verb',
    takesForms: true,
    load: () => import('./pages/actions/action.page.js').then(({ actionPage }) => actionPage),
  },
  {
    path: '/_ui/setup',
    name: 'Set up clients',
    load: () => import('./pages/setup/setup.page.js').then(({ setupPage }) => setupPage),
  },
];
