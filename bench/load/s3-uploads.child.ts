import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
  type S3Client,
} from '@aws-sdk/client-s3';
import { respondToTask } from '../processes/task.js';
import { s3Client } from '../s3/bucket.js';
import { partSize, partsInFlight, type S3Uploads, type S3UploadsReport } from './s3-uploads.js';

respondToTask(async ({ bucket, objects, size, way }: S3Uploads): Promise<S3UploadsReport> => {
  const client = s3Client(bucket.endpoint);
  const start = performance.now();
  const uploads = objects.map(async ({ from, key }) => {
    const target = { Bucket: bucket.name, Key: key };
    const body = await open(from);
    if (way === 'multipart') await sendParts(client, target, body);
    else await client.send(new PutObjectCommand({ ...target, Body: body, ContentLength: size }));
  });
  const outcomes = await Promise.allSettled(uploads);
  const seconds = (performance.now() - start) / 1000;
  client.destroy();
  const complaints = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
  return { seconds, complaints: [...new Set(complaints)] };
});

interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

async function open(url: string): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode ?? 0}`);
  return response;
}

/** Reads on while parts are in flight, but no further than one part ahead of them. */
async function sendParts(client: S3Client, target: Target, body: IncomingMessage): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
  const sent: Promise<CompletedPart>[] = [];
  const inFlight = new Set<Promise<CompletedPart>>();
  for await (const Body of partsOf(body)) {
    while (inFlight.size >= partsInFlight) await Promise.race(inFlight);
    const PartNumber = sent.length + 1;
    const command = new UploadPartCommand({ ...target, UploadId, PartNumber, Body, ContentLength: Body.length });
    const sending: Promise<CompletedPart> = client
      .send(command)
      .then(({ ETag }) => ({ PartNumber, ...(ETag !== undefined && { ETag }) }))
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    sent.push(sending);
  }
  const Parts = await Promise.all(sent);
  await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
}

async function* partsOf(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let part = Buffer.allocUnsafeSlow(partSize);
  let filled = 0;
  for await (const chunk of body) {
    for (let taken = 0; taken < chunk.length;) {
      const copied = chunk.copy(part, filled, taken);
      taken += copied;
      filled += copied;
      if (filled < partSize) continue;
      yield part;
      part = Buffer.allocUnsafeSlow(partSize);
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
