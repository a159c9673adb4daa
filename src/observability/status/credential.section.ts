import { html, type Html, type Piece } from './html.js';
import { table } from './status.sections.js';
import type { CredentialView } from './status.view.js';
import { timeText } from './text.js';

/** Whose credentials registries are sent, and until when. @param now in milliseconds since 1970 */
export function credentialSection(credentials: readonly CredentialView[], now: number): Html {
  const rows = credentials.map(({ registry, source, repositories, expiresAt, ...state }) => [
    registry,
    repositories.length === 0 ? source : `${source} for ${repositories.join(', ')}`,
    identityCell(state),
    endCell(expiresAt, now),
  ]);
  const columns = [{ name: 'Registry' }, { name: 'Source' }, { name: 'Credentials' }, { name: 'Valid until' }];
  return table('credentials-caption', 'Credentials that registries are sent', columns, rows);
}

function identityCell({ identities, problem }: Pick<CredentialView, 'identities' | 'problem'>): Piece {
  const whose = identities.length === 0 ? undefined : identities.join(', ');
  if (problem === undefined) return whose ?? 'not needed yet';
  const failure = html`<span class="bad">cannot be renewed</span>: ${problem}.`;
  return whose === undefined ? html`<span class="bad">none</span>: ${problem}.` : html`${whose}<br />${failure}`;
}

function endCell(expiresAt: number | undefined, now: number): Piece {
  if (expiresAt === undefined) return '–';
  return expiresAt > now ? timeText(expiresAt) : html`<span class="bad">${timeText(expiresAt)}</span>`;
}
