import { html, type Html, type Piece } from './html.js';
import type { DownloadView, RegistryState, RegistryView, RepositoriesView, StorageView } from './status.view.js';
import { countText, durationText, ratioText, sizeText, timeText } from './text.js';

interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** A table in a box that scrolls by itself when it is too wide, by keyboard too. The first cell names its row. */
function table(id: string, caption: string, columns: readonly Column[], rows: readonly (readonly Piece[])[]): Html {
  const style = (index: number) => (columns[index]?.isNumber === true ? 'number' : '');
  return html`<div class="scroll" role="region" aria-labelledby="${id}" tabindex="0">
    <table>
      <caption id="${id}">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ name }, index) => html`<th scope="col" class="${style(index)}">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...rest]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${rest.map((cell, index) => html`<td class="${style(index + 1)}">${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const states: Record<RegistryState, 'good' | 'bad' | ''> = {
  'not asked yet': '',
  answers: 'good',
  slow: 'bad',
  'limits us': 'bad',
  'is tried again': '',
  'does not answer': 'bad',
};

export function registriesSection(registries: readonly RegistryView[]): Html {
  const columns: Column[] = [
    { name: 'Registry' },
    { name: 'State' },
    { name: 'Pulls left' },
    { name: 'Stored here', isNumber: true },
    { name: 'Given to clients', isNumber: true },
    { name: 'Saved', isNumber: true },
  ];
  const rows = registries.map(({ name, state, rateLimit, hits, misses, sent, saved }) => [
    name,
    state === undefined ? '–' : html`<span class="${states[state]}">${state}</span>`,
    rateLimit === undefined
      ? '–'
      : `${countText(rateLimit.remaining)} of ${countText(rateLimit.limit)} in ${durationText(rateLimit.window * 1000)}`,
    ratioText(hits, hits + misses),
    sizeText(sent),
    sizeText(saved),
  ]);
  return table('registries-caption', 'Registries that are configured, and all others together', columns, rows);
}

export function downloadsSection(downloads: readonly DownloadView[], waiting: number): Html {
  const queue = waiting === 0 ? undefined : html`<p>${countText(waiting)} more wait for their turn.</p>`;
  if (downloads.length === 0)
    return html`<p>Nothing is being downloaded now.</p>
      ${queue}`;
  const columns: Column[] = [
    { name: 'Content' },
    { name: 'Repository' },
    { name: 'Progress' },
    { name: 'Clients', isNumber: true },
  ];
  const rows = downloads.map(({ digest, repository, received, size, followers }) => [
    html`<code>${shortDigest(digest)}</code>`,
    repository ?? 'takes a password',
    progress(`Download of ${shortDigest(digest)}`, received, size),
    countText(followers),
  ]);
  return html`${table('downloads-caption', 'Blobs that are being downloaded', columns, rows)}${queue}`;
}

/** Without a size the bar has no value, and runs. */
function progress(label: string, part: number, whole: number | undefined): Html {
  const text = whole === undefined ? sizeText(part) : `${sizeText(part)} of ${sizeText(whole)}`;
  const bar =
    whole === undefined
      ? html`<progress aria-label="${label}"></progress>`
      : html`<progress aria-label="${label}" value="${Math.min(part, whole)}" max="${Math.max(1, whole)}"></progress>`;
  return html`${bar} ${text}`;
}

function shortDigest(digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':', 2);
  return `${algorithm}:${hex.slice(0, 12)}`;
}

export function storageSection({ used, quota }: StorageView): Html {
  if (used === undefined) return html`<p>What is stored has not been counted yet.</p>`;
  if (quota === undefined) return html`<p>${sizeText(used)} are stored; no limit is set.</p>`;
  return html`<p>${progress('Storage in use', used, quota)} (${ratioText(used, quota)})</p>`;
}

export function repositoriesSection(repositories: RepositoriesView | 'counting'): Html {
  if (repositories === 'counting') return html`<p>They are being counted; look again in a moment.</p>`;
  const { countedAt, shown, more, hidden } = repositories;
  const columns: Column[] = [
    { name: 'Repository' },
    { name: 'Images', isNumber: true },
    { name: 'Size', isNumber: true },
    { name: 'Last used' },
  ];
  const rows = shown.map(({ name, manifests, bytes, usedAt }) => [
    name,
    countText(manifests),
    sizeText(bytes),
    html`<time datetime="${new Date(usedAt).toISOString()}">${timeText(usedAt)}</time>`,
  ]);
  const list =
    rows.length === 0
      ? html`<p>None that can be pulled without a password.</p>`
      : table('repositories-caption', 'Repositories that can be pulled without a password', columns, rows);
  return html`${list}
    <p class="note">
      ${more > 0 ? `${countText(more)} more that were used longer ago. ` : ''}${countText(hidden)} that take a password.
      Counted at ${timeText(countedAt)}.
    </p>`;
}
