import { afterEach, expect, it, vi } from 'vitest';
import { Digest } from '../../../oci/digest.js';
import { OciError } from '../../../oci/error.js';
import { Namespace } from '../../../oci/namespace.js';
import { RepositoryRef } from '../../../oci/repository.js';
import { UploadLost, type UploadStore } from '../../../storage/stores/upload.store.js';
import type { PushBody } from '../../push.js';
import type { HostedBlobsService } from '../hosted-blobs.service.js';
import { AcknowledgedUploads } from './acknowledged.uploads.js';

const repository = RepositoryRef.of(Namespace.parse('local'), 'app');
const owner = { repository, client: undefined };
const id = 'f'.repeat(32);
const digest = Digest.of(Buffer.from('content'));
const body: PushBody = { length: 0, chunks: () => (async function* () {})() };
const lost = new OciError('UNAVAILABLE', undefined, { cause: new UploadLost() });
const unknown = new OciError('BLOB_UPLOAD_UNKNOWN');
const completing = { repository: 'local/app', committing: digest.toString() };

afterEach(() => vi.restoreAllMocks());

/** @param records what the storage has of the session, look by look; the last one stays. @param linkedAt the look. */
function acknowledged(records: readonly (object | undefined)[], linkedAt = Infinity): AcknowledgedUploads {
  let looks = 0;
  const uploads = { find: () => Promise.resolve(records[Math.min(looks++, records.length - 1)]) };
  const blobs = { findSize: () => Promise.resolve(looks >= linkedAt ? 7 : undefined) };
  vi.spyOn(performance, 'now').mockImplementation(() => looks * 500);
  return new AcknowledgedUploads(uploads as unknown as UploadStore, blobs as unknown as HostedBlobsService);
}

it.each([
  ['lost', lost],
  ['unknown', unknown],
])('waits for another request that completes an upload whose session is %s', async (_name, error) => {
  expect(await acknowledged([completing], 3).has(owner, id, digest, body, error)).toBe(true);
  expect(await acknowledged([completing, undefined], 2).has(owner, id, digest, body, error)).toBe(true);
  await expect(acknowledged([completing]).has(owner, id, digest, body, error)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'the upload is being completed by another request',
    retryAfter: 1,
  });
});

it('waits a while for a request that took the session and has not begun to complete it', async () => {
  const open = { repository: 'local/app' };
  expect(await acknowledged([open, open, undefined], 3).has(owner, id, digest, body, lost)).toBe(true);
  expect(await acknowledged([open]).has(owner, id, digest, body, lost)).toBe(false);
  expect(await acknowledged([open]).has(owner, id, digest, { ...body, length: 5 }, lost)).toBe(false);
});

it('acknowledges nothing for a session of somebody else, another failure, and content that is not there', async () => {
  for (const theirs of [
    { ...completing, startedBy: 'another' },
    { ...completing, repository: 'local/other' },
  ])
    expect(await acknowledged([theirs], 1).has(owner, id, digest, body, unknown)).toBe(false);
  expect(await acknowledged([undefined]).has(owner, id, digest, body, unknown)).toBe(false);
  expect(await acknowledged([undefined], 1).has(owner, id, digest, body, new OciError('UNAVAILABLE'))).toBe(false);
});
