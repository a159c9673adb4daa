import type { RepositoryRef } from '../../oci/repository.js';
import type { PushBody } from '../../registry/push.js';
import type { UploadsService } from '../../registry/uploads.service.js';
import type { IsVisible } from '../access/visibility.js';
import type { RequestEvents } from '../events/request.events.js';
import type { HttpResponse } from '../responses/http.response.js';
import { blobCreatedResponse, uploadResponse } from '../responses/push.response.js';
import type { RepositoryUrl } from './repository.url.js';
import type { StartQuery } from './upload.parameters.js';

/** Mounts the blob (end-11), takes it from the body (end-4b), or begins a session (end-4a). */
export async function startUpload(
  uploads: UploadsService,
  repository: RepositoryRef,
  { mount, digest, algorithm }: StartQuery,
  body: PushBody,
  url: RepositoryUrl,
  client: string | undefined,
  isVisible: IsVisible | undefined,
  events: RequestEvents | undefined,
): Promise<HttpResponse> {
  if (mount && (await uploads.mount(repository, mount.digest, mount.from, isVisible))) {
    await events?.mounted(repository, mount.digest, mount.from);
    return blobCreatedResponse(url, mount.digest);
  }
  if (!digest) return uploadResponse(url, await uploads.begin(repository, { algorithm, startedBy: client }));
  await uploads.single(repository, digest, body);
  return blobCreatedResponse(url, digest);
}

/** Without a source that the client may not read (CVE-2024-39897 of zot): that is uploaded. */
export function mountable(query: StartQuery, isVisible: IsVisible | undefined): StartQuery {
  const { mount } = query;
  if (!mount?.from || !isVisible || isVisible(mount.from)) return query;
  return { ...query, mount: undefined };
}
