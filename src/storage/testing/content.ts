import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ByteRange } from '../../oci/byte-range.js';
import { StorageError, type StorageErrorKind } from '../storage-error.js';
import type { ChunkSink, StorageProvider } from '../storage.provider.js';

export const mebibyte = 1024 * 1024;

/** Pseudo-random bytes, so that a wrong offset is detected; the same for the same seed. */
export function sample(length: number, seed = 'content'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A sink that keeps a copy of everything. */
export function collector(): { sink: ChunkSink; content: () => Buffer; chunks: Buffer[] } {
  const chunks: Buffer[] = [];
  const sink: ChunkSink = (chunk) => {
    chunks.push(Buffer.from(chunk));
    return Promise.resolve();
  };
  return { sink, chunks, content: () => Buffer.concat(chunks) };
}

interface Copyable {
  copy(range: ByteRange, sink: ChunkSink, signal?: AbortSignal): Promise<void>;
}

export async function bytesOf(source: Copyable, range: ByteRange): Promise<Buffer> {
  const { sink, content } = collector();
  await source.copy(range, sink);
  return content();
}

/** Buffers compared without printing megabytes when they differ. */
export function assertSame(actual: Buffer, expected: Buffer, what = 'the content'): void {
  assert.equal(actual.length, expected.length, `${what} has another length`);
  assert.ok(actual.equals(expected), `${what} has other bytes`);
}

/** Rejects with a `StorageError` of one of the kinds. */
export async function rejects(action: Promise<unknown>, ...kinds: StorageErrorKind[]): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof StorageError, `threw ${String(error)}, which is not a StorageError`);
    assert.ok(kinds.includes(error.kind), `is of kind ${error.kind}, not ${kinds.join(' or ')}`);
    return true;
  });
}

/** Rejects with any kind of failure, but not as `not-found`. */
export async function rejectsAsFailure(action: Promise<unknown>): Promise<void> {
  await rejects(action, 'failed', 'full', 'damaged', 'too-large');
}

export async function assertAbsent(provider: StorageProvider, key: string): Promise<void> {
  await rejects(provider.read(key, mebibyte), 'not-found');
  await rejects(provider.open(key), 'not-found');
  await rejects(provider.stat(key), 'not-found');
}

/** The keys under a prefix, sorted. */
export async function keysUnder(provider: StorageProvider, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of provider.list(prefix)) found.push(key);
  return found.sort();
}

/** Lets pending work run, including file reads. */
export const settle = (): Promise<void> => delay(20);
