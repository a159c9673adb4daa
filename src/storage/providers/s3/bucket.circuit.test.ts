import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BucketCircuit } from './bucket.circuit.js';

const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
const busy = Object.assign(new Error('slow'), { name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
const missing = Object.assign(new Error('none'), { name: 'NotFound', $metadata: { httpStatusCode: 404 } });

/** A circuit with what its probes meet, one after the other, and what it has told. */
function circuitOf(...responses: (Error | undefined)[]) {
  const told: string[] = [];
  const probes: number[] = [];
  const probe = () => {
    probes.push(Math.round(performance.now() - start));
    const response = responses.shift();
    return response ? Promise.reject(response) : Promise.resolve();
  };
  const listener = { onOpen: (reason: string) => told.push(`open ${reason}`), onClose: () => told.push('closed') };
  const tuning = { minOutage: 2_000, silence: 2_000, probeDelay: 1_000, maxProbeDelay: 5_000 };
  const circuit = new BucketCircuit(tuning, probe, listener);
  return { circuit, told, probes };
}

/** Lets so many reads fail, the first of which began at the start. */
function fail(circuit: BucketCircuit, times: number): void {
  for (let done = 0; done < times; done += 1) circuit.fail(start, refused);
}

let start: number;

beforeEach(() => {
  vi.useFakeTimers();
  start = performance.now();
});
afterEach(() => vi.useRealTimers());

describe('BucketCircuit', () => {
  it('opens after five failed reads in a row over two seconds, not before', () => {
    const { circuit, told } = circuitOf();
    fail(circuit, 20);
    expect(circuit.isOpen).toBe(false);
    vi.advanceTimersByTime(2_000);
    circuit.succeed();
    fail(circuit, 4);
    expect(circuit.isOpen).toBe(false);
    circuit.check();
    fail(circuit, 1);
    expect([circuit.isOpen, told]).toEqual([true, ['open ECONNREFUSED']]);
    const message = 'the storage has been failing for 2 s (ECONNREFUSED)';
    expect(() => circuit.check()).toThrow(expect.objectContaining({ name: 'StorageError', kind: 'failed', message }));
    circuit.close();
  });

  it('asks with longer and longer pauses, one probe at a time, and closes when there is any answer', async () => {
    const { circuit, told, probes } = circuitOf(refused, busy, refused, refused, missing);
    vi.advanceTimersByTime(2_000);
    fail(circuit, 5);
    await vi.advanceTimersByTimeAsync(17_000);
    expect(circuit.isOpen).toBe(false);
    expect(probes).toEqual([3_000, 5_000, 9_000, 14_000, 19_000]);
    expect(told).toEqual(['open ECONNREFUSED', 'closed']);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probes).toHaveLength(5);
  });

  it('opens again with the first read that fails after a probe, and trusts the bucket after one that does not', async () => {
    const { circuit, told } = circuitOf(undefined, undefined);
    vi.advanceTimersByTime(2_000);
    fail(circuit, 5);
    await vi.advanceTimersByTimeAsync(1_000);
    circuit.fail(performance.now(), busy);
    expect(told).toEqual(['open ECONNREFUSED', 'closed', 'open SlowDown']);
    await vi.advanceTimersByTimeAsync(2_000);
    circuit.succeed();
    circuit.fail(performance.now(), busy);
    expect(circuit.isOpen).toBe(false);
  });

  it('stays open while nothing responds: a probe that was given up is no response', async () => {
    const aborted = () => Object.assign(new Error('Request aborted'), { name: 'AbortError' });
    const timedOut = Object.assign(aborted(), { cause: new DOMException('timeout', 'TimeoutError') });
    const { circuit, told, probes } = circuitOf(aborted(), timedOut, aborted(), aborted(), missing);
    circuit.arm();
    const waiting = circuit.wait(new Promise<never>(() => undefined), () => told.push('stopped'));
    const settled = expect(waiting).rejects.toThrow('the storage has been failing for 2 s (no response)');
    await vi.advanceTimersByTimeAsync(2_000);
    await settled;
    expect(told).toEqual(['open no response', 'stopped']);
    expect(() => circuit.check()).toThrow('(no response)');
    await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000);
    expect([circuit.isOpen, probes.length]).toEqual([true, 4]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told.slice(2)).toEqual(['closed']);
  });

  it('does not listen to reads that were under way when it opened, and asks no more when it is closed', async () => {
    const { circuit, told, probes } = circuitOf(refused);
    vi.advanceTimersByTime(2_000);
    fail(circuit, 5);
    circuit.succeed();
    fail(circuit, 5);
    expect([circuit.isOpen, told]).toEqual([true, ['open ECONNREFUSED']]);
    circuit.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(probes).toEqual([]);
  });
});
