import { version } from '../../config/version.js';
import { assetPath } from '../assets/assets.js';
import type { PageContext } from '../page.context.js';
import type { PageView } from '../page.js';
import type { PageEntry } from '../page.table.js';
import { signInPath } from '../sign-in.path.js';
import type { Visitor } from '../visitor.js';
import { Logo } from './logo.js';
import { Name } from './values.js';

/** What is around a page. */
export interface Frame extends Omit<PageContext, 'visitor'> {
  /** Undefined for somebody who has to sign in first. */
  readonly visitor: Pick<Visitor, 'name' | 'maySignIn' | 'isAdministrator' | 'reader'> | undefined;
  /** Pages that the visitor can go to. */
  readonly navigation: readonly PageEntry[];
  /** Path of the route. */
  readonly current: string | undefined;
}

export function Layout({ view, frame }: { readonly view: PageView; readonly frame: Frame }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${view.title} – oci-registry`}</title>
        <link rel="icon" type="image/svg+xml" href={assetPath('icon.svg')} />
        <link rel="stylesheet" href={assetPath('page.css')} />
        <script src={assetPath('page.js')} defer />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <Header frame={frame} />
        <main id="main" tabindex={-1}>
          <h1>
            <Name name={view.title} />
          </h1>
          {view.note !== undefined && <p class="note">{view.note}</p>}
          {view.content}
        </main>
        <footer>
          <p>
            {frame.visitor?.reader?.isAnonymous === true || !frame.visitor ? 'oci-registry' : `oci-registry ${version}`}
          </p>
        </footer>
      </body>
    </html>
  );
}

function Header({ frame }: { readonly frame: Frame }) {
  const { navigation, current } = frame;
  const link = (path: string, name: string) => (
    <li>
      <a href={path} aria-current={path === current ? 'page' : undefined}>
        {name}
      </a>
    </li>
  );
  return (
    <header>
      <div class="bar">
        <a class="brand" href="/">
          <Logo />
          oci-registry
        </a>
        {frame.visitor && (
          <nav aria-label="Pages">
            <ul>{navigation.map(({ path, name = '' }) => link(path, name))}</ul>
          </nav>
        )}
        {navigation.some(({ path }) => path === searchPath) && <Search frame={frame} />}
        <SignIn frame={frame} />
      </div>
    </header>
  );
}

const searchPath = '/_ui/repositories';

function Search({ frame: { current, query } }: { readonly frame: Frame }) {
  return (
    <form class="search" role="search" action={searchPath} method="get">
      <input
        type="search"
        name="q"
        aria-label="Search repositories"
        placeholder="Search repositories"
        maxlength={255}
        value={current === searchPath ? (query.get('q') ?? '') : ''}
      />
      <button type="submit">Search</button>
    </form>
  );
}

function SignIn({ frame: { visitor, target } }: { readonly frame: Frame }) {
  if (!visitor) return <></>;
  if (visitor.name !== undefined)
    return (
      <p class="who">
        <span class="hidden">Signed in as </span>
        {`${visitor.name}${visitor.isAdministrator ? ' (administrator)' : ''}`}
      </p>
    );
  return visitor.maySignIn ? (
    <p class="who">
      <a href={target.startsWith('/_ui/') ? `${signInPath}=${encodeURIComponent(target)}` : signInPath}>Sign in</a>
    </p>
  ) : (
    <></>
  );
}
