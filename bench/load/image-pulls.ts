import { pull } from './pull.js';
import { manifestMediaType } from '../content/image.js';

export interface ImagePulls {
  /** Address of the repository, to which `/manifests/…` and `/blobs/…` are added. */
  readonly root: string;
  readonly tag: string;
  readonly manifest: string;
  readonly manifestSize?: number;
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  readonly clients: number;
}

export interface ImagePullsReport {
  readonly seconds: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  readonly failures: readonly string[];
}

/** As container engines pull: the tag, the manifest, then everything it names, three at a time. Each body is hashed. */
export async function runImagePulls(job: ImagePulls): Promise<ImagePullsReport> {
  const start = performance.now();
  const pulls = await Promise.all(Array.from({ length: job.clients }, () => pullImage(job)));
  const seconds = (performance.now() - start) / 1000;
  const times = pulls.map(({ millis }) => millis).sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  const failures = [...new Set(pulls.flatMap(({ complaints }) => complaints))];
  return { seconds, p50Millis: at(0.5), p99Millis: at(0.99), failures };
}

const parallel = 3;

async function pullImage({ root, tag, manifest, manifestSize, blobs }: ImagePulls) {
  const start = performance.now();
  const complaints: string[] = [];
  const get = async (path: string, digest: string, size?: number) => {
    const { complaint } = await pull({ url: `${root}/${path}`, accept: manifestMediaType, digest, size });
    if (complaint !== undefined) complaints.push(`${path}: ${complaint}`);
  };
  await get(`manifests/${tag}`, manifest, manifestSize);
  await get(`manifests/${manifest}`, manifest, manifestSize);
  const waiting = [...blobs];
  const worker = async () => {
    for (let blob = waiting.shift(); blob; blob = waiting.shift())
      await get(`blobs/${blob.digest}`, blob.digest, blob.size);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { millis: performance.now() - start, complaints };
}
