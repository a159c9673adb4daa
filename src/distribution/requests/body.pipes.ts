import { Injectable, type PipeTransform } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { BodyMemory, type Hold } from '../../config/memory/body.memory.js';
import { OciError } from '../../oci/error.js';
import { maxManifestBytes } from '../../oci/manifest.js';
import type { PushBody } from '../../registry/push.js';
import type { IncomingBody } from './incoming.body.js';
import { bodyOf, noBody } from './incoming.bodies.js';
import { UploadSlots } from './upload.slots.js';

/** The body of an upload, for which there is a slot until the response has been sent. */
@Injectable()
export class UploadBodyPipe implements PipeTransform<FastifyRequest, Promise<PushBody>> {
  constructor(private readonly slots: UploadSlots) {}

  async transform(request: FastifyRequest): Promise<PushBody> {
    const body = bodyOf(request);
    if (!body) return noBody;
    body.onceOver(await this.slots.enter(request.ip));
    body.stream();
    return body;
  }
}

/** Bytes to reserve for a body of unknown length until it turns out to be longer. */
const firstRoom = 64 * 1024;

/** The body of a manifest in memory, where there is room for it until the response has been sent. */
@Injectable()
export class ManifestBodyPipe implements PipeTransform<FastifyRequest, Promise<Buffer>> {
  constructor(private readonly memory: BodyMemory) {}

  async transform(request: FastifyRequest): Promise<Buffer> {
    const body = bodyOf(request);
    if (!body) return Buffer.alloc(0);
    body.extend();
    const { length } = body;
    if (length !== undefined && length > maxManifestBytes) throw tooLarge();
    let room = length ?? firstRoom;
    let hold = await this.take(body, room);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body.chunks()) {
      if (body.received > maxManifestBytes) throw tooLarge();
      if (body.received > room) {
        room = maxManifestBytes;
        const larger = await this.take(body, room);
        hold.release();
        hold = larger;
      }
      hold.progress(chunk.length);
      chunks.push(chunk);
    }
    hold.complete();
    return Buffer.concat(chunks);
  }

  /** @throws OciError UNAVAILABLE when there was no room in time */
  private async take(body: IncomingBody, bytes: number): Promise<Hold> {
    const hold = await this.memory.take('pushes', bytes, () => body.cut());
    if (!hold) throw new OciError('UNAVAILABLE', 'too many manifests are being received', { retryAfter: 5 });
    body.onceOver(() => hold.release());
    return hold;
  }
}

function tooLarge(): OciError {
  return new OciError('SIZE_INVALID', `a manifest has at most ${maxManifestBytes} bytes`);
}
