import { Html, html, type Piece } from './html.js';
import { clientSections } from './client.sections.js';
import { credentialSection } from './credential.section.js';
import {
  accessSection,
  configurationLine,
  downloadsSection,
  registriesSection,
  repositoriesSection,
  storageSection,
} from './status.sections.js';
import { statusStyle } from './status.style.js';
import type { StatusView } from './status.view.js';
import { durationText, ratioText, sizeText, timeText } from './text.js';
import { trafficChart } from './traffic.chart.js';

/** Outside of the template, because the policy has the hash of exactly this text. */
const styleElement = Html.trusted(`<style>${statusStyle}</style>`);

/** The page, without scripts. */
export function statusPage(view: StatusView): string {
  const sections = sectionsOf(view);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>Registry mirror: status</title>
        <link rel="icon" href="data:," />
        ${styleElement}
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header>
          <h1>Registry mirror</h1>
          <p class="note">
            As of <time datetime="${new Date(view.at).toISOString()}">${timeText(view.at)}</time>.
            <a href="/">Refresh</a>
          </p>
          <nav aria-label="Sections">
            <ul>
              ${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
            </ul>
          </nav>
        </header>
        <main id="main" tabindex="-1">${sections.map(({ id, title, content }) => section(id, title, content))}</main>
        <footer>
          <p>${countedBy(view)} ${whatIsShown(view)}</p>
        </footer>
      </body>
    </html> `.text;
}

function whatIsShown({ reader }: StatusView): Piece {
  if (!reader) return 'The names of private repositories are not shown.';
  if (reader.name !== undefined) return `Signed in as ${reader.name}: what you may pull is shown.`;
  return html`What everybody may pull is shown. <a href="/?sign-in">Sign in</a> to see more.`;
}

function countedBy({ worker }: StatusView): string {
  if (worker === undefined) return 'Counts and states are those of this process since its start.';
  const { number, count } = worker;
  return `Counts and states are those of worker ${number} of ${count} since its start; a refresh may show another worker.`;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Html;
}

function sectionsOf(view: StatusView): Section[] {
  const { repositories, accessFiles, auditLinesDropped, storage, credentials = [] } = view;
  return [
    { id: 'overview', title: 'Overview', content: overview(view) },
    { id: 'registries', title: 'Registries', content: registriesSection(view.registries) },
    ...(credentials.length === 0
      ? []
      : [{ id: 'credentials', title: 'Credentials', content: credentialSection(credentials, view.at) }]),
    { id: 'downloads', title: 'Downloads', content: downloadsSection(view.downloads, view.waitingDownloads) },
    ...(storage === undefined ? [] : [{ id: 'storage', title: 'Storage', content: storageSection(storage) }]),
    ...(repositories === undefined
      ? []
      : [{ id: 'repositories', title: 'Repositories', content: repositoriesSection(repositories) }]),
    ...(accessFiles.length === 0
      ? []
      : [{ id: 'access', title: 'Access', content: accessSection(accessFiles, auditLinesDropped) }]),
    { id: 'clients', title: 'Configure clients', content: clientSections(view.mirror) },
  ];
}

function section(id: string, title: string, content: Piece): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section> `;
}

function overview({ totals, uptime, history, at, reader, configuration }: StatusView): Html {
  const { hits, misses, sent, saved } = totals;
  const figures: [string, string][] = [
    ['Hit ratio', ratioText(hits, hits + misses)],
    ['Sent to clients', sizeText(sent)],
    ['Upstream traffic saved', sizeText(saved)],
    ['Uptime', durationText(uptime)],
  ];
  return html`<dl class="figures">
      ${figures.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    ${configuration === undefined ? '' : configurationLine(configuration)}
    ${
      reader
        ? ''
        : html`<h3>Last 24 hours</h3>
            ${trafficChart(history, at)}`
    }`;
}
