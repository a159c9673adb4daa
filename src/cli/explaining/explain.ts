import type { ClientSettings } from '../../config/client.settings.js';
import { RefusedError, type AdminClient } from '../admin.client.js';
import { printable } from '../progress.line.js';
import { StartError } from '../start-error.js';
import type { Explained } from './explained.js';
import { textOf } from './explanation.text.js';

/** Who is asked about, as the options name them. */
export interface Subject {
  readonly as?: string;
  readonly group?: readonly string[];
  readonly claim?: readonly string[];
}

/**
 * Prints why the last pull of an image ended as it did, and what the next one would do.
 * @returns 1 when the next pull would not be served, as far as that is known here. @throws StartError
 */
export async function explain(client: AdminClient, { json }: ClientSettings, image: string, subject: Subject) {
  const query = new URLSearchParams({ ref: image });
  if (subject.as !== undefined) query.set('as', subject.as);
  for (const group of subject.group ?? []) query.append('group', group);
  for (const claim of subject.claim ?? []) query.append('claim', claim);
  const explained = await ask(client, query);
  const lines = json ? [JSON.stringify(explained)] : textOf(explained);
  for (const line of lines) process.stdout.write(`${printable(line)}\n`);
  const { now, access } = explained;
  const isServed = now.outcome !== 'refused' && now.outcome !== 'failed' && access.decision?.isAllowed !== false;
  return isServed ? 0 : 1;
}

/** What the server does not understand is a mistake in the arguments. */
async function ask(client: AdminClient, query: URLSearchParams): Promise<Explained> {
  try {
    return await client.request<Explained>('GET', `/_admin/explain?${query.toString()}`);
  } catch (error) {
    if (error instanceof RefusedError) throw new StartError(error.message);
    throw error;
  }
}
