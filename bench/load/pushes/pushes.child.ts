import { createHash, type Hash } from 'node:crypto';
import { manifestMediaType } from '../../content/image.js';
import { digestOf, keystreamOf } from '../../content/bytes.js';
import { respondToTask } from '../../processes/task.js';
import { rawPull } from '../raw-pull.js';
import { Exchange } from './exchange.js';
import type { Pushes, PushesReport } from './pushes.js';

const suffixSize = 64;
const octets = 'Content-Type: application/octet-stream\r\n';

/** A blob whose bytes are made before the measurement, and shared with the others but for its end. */
interface PushedBlob {
  readonly digest: string;
  readonly size: number;
  readonly pieces: readonly Buffer[];
}

interface PushedImage {
  readonly repository: string;
  readonly tag: string;
  readonly blobs: readonly PushedBlob[];
  readonly manifest: Buffer;
  /** Whether it is pushed as Docker does it, with a PATCH for the bytes, or as containerd does, in the PUT. */
  readonly hasPatch: boolean;
}

respondToTask(async (job: Pushes): Promise<PushesReport> => {
  const images = imagesOf(job);
  const origin = new URL(job.root);
  const crews = images.map(() => Array.from({ length: job.parallel }, () => new Exchange(origin)));
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const pushed = await Promise.all(images.map((own, client) => pushAll(job, own, crews[client]!)));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  for (const exchange of crews.flat()) exchange.close();
  const times = pushed.flatMap(({ millis }) => millis).sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  const complaints = [...pushed.flatMap(({ complaints: own }) => own), ...(await check(job, images))];
  return {
    seconds,
    images: times.length,
    bytes: images.flat().reduce((sum, { blobs }) => sum + blobs.reduce((all, { size }) => all + size, 0), 0),
    p50Millis: at(0.5),
    p99Millis: at(0.99),
    clientCpuSeconds: (user + system) / 1e6,
    failures: [...new Set(complaints)],
  };
});

/** By client. */
function imagesOf({ clients, images, layers, layerSize, seed }: Pushes): PushedImage[][] {
  const shared = keystreamOf(seed).update(Buffer.alloc(layerSize - suffixSize));
  const hash = createHash('sha256').update(shared);
  return Array.from({ length: clients }, (_, client) =>
    Array.from({ length: images }, (__, image) => {
      const name = `${seed} ${client} ${image}`;
      const own = Array.from({ length: layers }, (___, layer) => blobOf(shared, hash, `${name} ${layer}`));
      const config = configOf(name, own);
      const manifest = manifestOf(config, own);
      const repository = `push/client-${client}`;
      return { repository, tag: `image-${image}`, blobs: [...own, config], manifest, hasPatch: client % 2 === 0 };
    }),
  );
}

function blobOf(shared: Buffer, hash: Hash, name: string): PushedBlob {
  const suffix = createHash('sha512').update(name).digest();
  const digest = `sha256:${hash.copy().update(suffix).digest('hex')}`;
  return { digest, size: shared.length + suffix.length, pieces: [shared, suffix] };
}

function configOf(name: string, layers: readonly PushedBlob[]): PushedBlob {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const bytes = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', author: name, config: {}, rootfs }));
  return { digest: digestOf(bytes), size: bytes.length, pieces: [bytes] };
}

function manifestOf(config: PushedBlob, layers: readonly PushedBlob[]): Buffer {
  const descriptorOf = (mediaType: string, { digest, size }: PushedBlob) => ({ mediaType, digest, size });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaType,
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  );
}

async function pushAll({ root }: Pushes, images: readonly PushedImage[], crew: readonly Exchange[]) {
  const millis: number[] = [];
  const complaints: string[] = [];
  try {
    for (const image of images) {
      const start = performance.now();
      await pushImage(`${new URL(root).pathname}${image.repository}`, image, crew);
      millis.push(performance.now() - start);
    }
  } catch (error) {
    complaints.push(error instanceof Error ? error.message : String(error));
  }
  return { millis, complaints };
}

/** @param path of the repository */
async function pushImage(path: string, image: PushedImage, crew: readonly Exchange[]): Promise<void> {
  const waiting = [...image.blobs];
  const worker = async (exchange: Exchange): Promise<void> => {
    for (let blob = waiting.shift(); blob; blob = waiting.shift()) await pushBlob(exchange, path, blob, image.hasPatch);
  };
  await Promise.all(crew.map(worker));
  const [exchange] = crew;
  const type = `Content-Type: ${manifestMediaType}\r\n`;
  expectStatus(201, await exchange!.send('PUT', `${path}/manifests/${image.tag}`, type, [image.manifest]));
}

async function pushBlob(exchange: Exchange, path: string, blob: PushedBlob, hasPatch: boolean): Promise<void> {
  const { digest, pieces } = blob;
  expectStatus(404, await exchange.send('HEAD', `${path}/blobs/${digest}`, ''));
  let place = expectStatus(202, await exchange.send('POST', `${path}/blobs/uploads/`, ''));
  if (hasPatch) place = expectStatus(202, await exchange.send('PATCH', place, octets, pieces));
  const target = `${place}${place.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  expectStatus(201, await exchange.send('PUT', target, octets, hasPatch ? [] : pieces));
}

/** @returns the path of the Location header, if there is one */
function expectStatus(status: number, response: { status: number; location: string | undefined }): string {
  if (response.status !== status) throw new Error(`status ${response.status} instead of ${status}`);
  const { location = '' } = response;
  return location.replace(/^https?:\/\/[^/]+/, '');
}

/** Pulls the first layer of the last image of some clients and compares it. */
async function check({ root }: Pushes, images: readonly PushedImage[][]): Promise<string[]> {
  const complaints: string[] = [];
  for (const own of images.slice(0, 4)) {
    const { repository, blobs } = own.at(-1)!;
    const { digest, pieces } = blobs[0]!;
    const complaint = await rawPull(new URL(`${root}${repository}/blobs/${digest}`), Buffer.concat(pieces));
    if (complaint !== undefined) complaints.push(`pulling what was pushed: ${complaint}`);
  }
  return complaints;
}
