import { html, type Html, type Piece } from './html.js';
import type {
  AccessFileView,
  Condition,
  ConfigurationView,
  DownloadView,
  RegistryState,
  RegistryView,
  RepositoriesView,
  StorageView,
} from './status.view.js';
import { countText, durationText, ratioText, sizeText, timeText } from './text.js';

interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
}

/** A table in a region that scrolls when it is too wide, by keyboard too. The first cell of a row is its header. */
export function table(
  id: string,
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Piece[])[],
): Html {
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

const styles: Record<Condition, 'good' | 'bad' | ''> = {
  'not contacted': '',
  up: 'good',
  degraded: 'bad',
  'credentials refused': 'bad',
};

function stateText({ condition, reason, since }: RegistryState): Html {
  const details = condition === 'up' || since === undefined ? '' : ` Since ${timeText(since)}.`;
  return html`<span class="${styles[condition]}">${condition}</span>${
      reason === undefined ? '' : `: ${reason}.`
    }${details}`;
}

function stateCell({ state, fallbacks }: Pick<RegistryView, 'state' | 'fallbacks'>): Html {
  if (state === undefined) return html`${'–'}`;
  return html`${stateText(state)}${fallbacks.map((each) => html`<br />Fallback ${each.host}: ${stateText(each.state)}`)}`;
}

/** At most some of the mistakes: the log has them all. */
export function configurationLine({ readAt, rejected }: ConfigurationView): Html {
  if (!rejected) return html`<p>Configuration: <span class="good">in use</span>, read ${timeText(readAt)}.</p>`;
  const { problems, since } = rejected;
  const more = problems.length > 5 ? `, and ${problems.length - 5} more` : '';
  return html`<p>
    Configuration: <span class="bad">not in use</span>: ${problems.slice(0, 5).join('; ')}${more}. Since
    ${timeText(since)}; what was read before stays.
  </p>`;
}

export function accessSection(files: readonly AccessFileView[], auditLinesDropped = 0): Html {
  const rows = files.map(({ path, readAt, rejected }) => [
    path,
    rejected
      ? html`<span class="bad">not used</span>: ${rejected.reason}. Since ${timeText(rejected.since)}; what was read
          before stays.`
      : html`<span class="good">in use</span>`,
    timeText(readAt),
  ]);
  const dropped = html`<p>
    <span class="bad">${countText(auditLinesDropped)} decisions are missing in the audit log</span>: see the log of this
    server.
  </p>`;
  return html`${table(
    'access-caption',
    'Files that say who may do what',
    [{ name: 'File' }, { name: 'State' }, { name: 'Read' }],
    rows,
  )}${auditLinesDropped === 0 ? '' : dropped}`;
}

export function registriesSection(registries: readonly RegistryView[]): Html {
  const hasPushes = registries.some(({ pushed }) => pushed !== undefined);
  const columns: Column[] = [
    { name: 'Registry' },
    { name: 'State' },
    { name: 'Pulls remaining' },
    { name: 'Hit ratio', isNumber: true },
    { name: 'Sent to clients', isNumber: true },
    { name: 'Saved', isNumber: true },
    ...(hasPushes ? [{ name: 'Pushed', isNumber: true }] : []),
  ];
  const rows = registries.map(({ rateLimit, hits, misses, sent, saved, pushed, ...registry }) => [
    registry.name,
    stateCell(registry),
    rateLimit === undefined
      ? '–'
      : `${countText(rateLimit.remaining)} of ${countText(rateLimit.limit)} in ${durationText(rateLimit.window * 1000)}`,
    ratioText(hits, hits + misses),
    sizeText(sent),
    sizeText(saved),
    ...(hasPushes ? [pushed === undefined ? '–' : sizeText(pushed)] : []),
  ]);
  return table('registries-caption', 'Configured registries, and all others together', columns, rows);
}

export function downloadsSection(downloads: readonly DownloadView[], waiting: number): Html {
  const queue = waiting === 0 ? undefined : html`<p>${countText(waiting)} more are queued.</p>`;
  if (downloads.length === 0)
    return html`<p>No downloads in progress.</p>
      ${queue}`;
  const columns: Column[] = [
    { name: 'Content' },
    { name: 'Repository' },
    { name: 'Progress' },
    { name: 'Clients', isNumber: true },
  ];
  const rows = downloads.map(({ digest, repository, received, size, followers }) => [
    html`<code>${shortDigest(digest)}</code>`,
    repository ?? 'private repository',
    progress(`Download of ${shortDigest(digest)}`, received, size),
    countText(followers),
  ]);
  return html`${table('downloads-caption', 'Downloads in progress', columns, rows)}${queue}`;
}

/** Without a size the bar is indeterminate. */
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

export function storageSection({ hosted = [], ...storage }: StorageView): Html {
  const quotas = hosted.map(({ repositories, used, limit }) => {
    const label = `Quota of ${repositories}`;
    if (used === undefined) return html`<p>${label}: ${sizeText(limit)}, not counted yet</p>`;
    return html`<p>${label}: ${progress(label, used, limit)} (${ratioText(used, limit)})</p>`;
  });
  return html`${usageOf(storage)}${quotas}`;
}

function usageOf({ used, quota }: Pick<StorageView, 'used' | 'quota'>): Html {
  if (used === undefined) return html`<p>Not measured yet.</p>`;
  if (quota === undefined) return html`<p>${sizeText(used)} in use; no limit is set.</p>`;
  return html`<p>${progress('Storage in use', used, quota)} (${ratioText(used, quota)})</p>`;
}

export function repositoriesSection(repositories: RepositoriesView | 'counting'): Html {
  if (repositories === 'counting') return html`<p>Being listed; refresh in a moment.</p>`;
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
  const kind = hidden === undefined ? 'visible' : 'public';
  const list =
    rows.length === 0
      ? html`<p>No ${kind} repositories.</p>`
      : table('repositories-caption', `${kind === 'public' ? 'Public' : 'Visible'} repositories`, columns, rows);
  return html`${list}
    <p class="note">
      ${more > 0 ? `${countText(more)} more, used longer ago. ` : ''}${hidden === undefined ? '' : `${countText(hidden)} private. `}Listed
      at ${timeText(countedAt)}.
    </p>`;
}
