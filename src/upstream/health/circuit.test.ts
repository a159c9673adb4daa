import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { Circuit } from './circuit.js';

const middle = () => 0.5;

function make(threshold = 3, random: () => number = middle) {
  const clock = new HandClock();
  return { clock, circuit: new Circuit(threshold, clock, random) };
}

/** Sends one request that fails, when it may. Whether it was sent. */
function fail(circuit: Circuit, retryAfter?: number): boolean {
  if (!circuit.isPassable) return false;
  circuit.fail(circuit.enter(), retryAfter);
  return true;
}

describe('a circuit', () => {
  it('opens on the third consecutive failure, and reports it once', () => {
    const { circuit } = make();
    const opened = [1, 2, 3, 4].map(() => circuit.fail(circuit.enter()));
    expect(opened).toEqual([false, false, true, false]);
    expect([circuit.isOpen, circuit.isPassable]).toEqual([true, false]);
  });

  it('reports whether it is closed, open or half-open', () => {
    const { clock, circuit } = make(1);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(circuit.state).toBe('open');
    clock.pass(1);
    expect(circuit.state).toBe('half-open');
    const isProbe = circuit.enter();
    expect(circuit.state).toBe('half-open');
    circuit.succeed(isProbe);
    expect(circuit.state).toBe('closed');
  });

  it('counts only consecutive failures', () => {
    const { circuit } = make();
    for (let round = 0; round < 5; round += 1) {
      fail(circuit);
      fail(circuit);
      circuit.succeed(circuit.enter());
    }
    expect(circuit.isOpen).toBe(false);
  });

  it('admits one probe after its pause, and no other request until the probe has ended', () => {
    const { clock, circuit } = make(1);
    fail(circuit);
    clock.pass(0.999);
    expect(circuit.isPassable).toBe(false);
    clock.pass(0.001);
    expect(circuit.isPassable).toBe(true);
    const isProbe = circuit.enter();
    expect([isProbe, circuit.isPassable]).toEqual([true, false]);
    clock.pass(3_600);
    expect(circuit.isPassable).toBe(false);
    circuit.leave(isProbe);
    expect(circuit.isPassable).toBe(true);
  });

  it('closes on the first successful probe, and reports it once', () => {
    const { clock, circuit } = make(1);
    fail(circuit);
    clock.pass(1);
    expect(circuit.succeed(circuit.enter())).toBe(true);
    expect([circuit.isOpen, circuit.isPassable]).toEqual([false, true]);
    expect(circuit.succeed(circuit.enter())).toBe(false);
  });

  it('does not close on the success of a request that was in flight when it opened', () => {
    const { circuit } = make(1);
    const [limited, lucky] = [circuit.enter(), circuit.enter()];
    circuit.fail(limited, 30);
    expect(circuit.succeed(lucky)).toBe(false);
    expect([circuit.isPassable, circuit.retryAfter]).toEqual([false, 30]);
  });

  it('doubles its pause from 1 s after each failed probe, up to 60 s', () => {
    const { clock, circuit } = make(1);
    const pauses: number[] = [];
    for (let probe = 0; probe < 20; probe += 1) {
      expect(fail(circuit)).toBe(true);
      pauses.push(circuit.retryAfter);
      clock.pass(circuit.retryAfter);
    }
    expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(new Set(pauses.slice(7))).toEqual(new Set([60]));
  });

  it('begins with 1 s again after a success', () => {
    const { clock, circuit } = make(1);
    for (let probe = 0; probe < 5; probe += 1) {
      fail(circuit);
      clock.pass(60);
    }
    circuit.succeed(circuit.enter());
    fail(circuit);
    expect(circuit.retryAfter).toBe(1);
  });

  it('spreads its pauses by a fifth to either side', () => {
    for (const [random, shortest, longest] of [
      [0, 0.799, 0.8],
      [1, 1.199, 1.2],
    ] as const) {
      const { clock, circuit } = make(1, () => random);
      fail(circuit);
      clock.pass(shortest);
      expect(circuit.isPassable).toBe(false);
      clock.pass(longest - shortest + 1e-6);
      expect(circuit.isPassable).toBe(true);
    }
  });

  it('ignores requests that were in flight when it opened for the length of its pause', () => {
    const { circuit } = make();
    const underWay = Array.from({ length: 50 }, () => circuit.enter());
    for (const isProbe of underWay) circuit.fail(isProbe);
    expect(circuit.retryAfter).toBe(1);
  });

  it('opens at once on a Retry-After, and admits no probe before it has passed', () => {
    const { clock, circuit } = make();
    expect(circuit.fail(circuit.enter(), 30)).toBe(true);
    expect([circuit.isPassable, circuit.retryAfter]).toEqual([false, 30]);
    clock.pass(29.9);
    expect([circuit.isPassable, circuit.retryAfter]).toEqual([false, 1]);
    clock.pass(0.1);
    expect(circuit.isPassable).toBe(true);
  });

  it('waits for the longer of Retry-After and its own pause', () => {
    const { circuit } = make(1);
    fail(circuit, 0);
    expect(circuit.retryAfter).toBe(1);
  });

  it('obeys Retry-After for at most an hour', () => {
    const { clock, circuit } = make(1);
    fail(circuit, 86_400 * 365);
    expect(circuit.retryAfter).toBe(3_600);
    clock.pass(3_600);
    expect(circuit.isPassable).toBe(true);
  });

  it('obeys the Retry-After of a request that was in flight, too', () => {
    const { circuit } = make(1);
    const [first, second] = [circuit.enter(), circuit.enter()];
    circuit.fail(first);
    circuit.fail(second, 120);
    expect(circuit.retryAfter).toBe(120);
  });

  it('forgets a long wait once it has closed', () => {
    const { clock, circuit } = make();
    circuit.fail(circuit.enter(), 3_600);
    clock.pass(3_600);
    circuit.fail(circuit.enter(), 3_600);
    clock.pass(3_600);
    const probe = circuit.enter();
    circuit.fail(false, 3_600);
    circuit.succeed(probe);
    const opened = [1, 2, 3].map(() => circuit.fail(circuit.enter()));
    expect(opened).toEqual([false, false, true]);
    expect(circuit.retryAfter).toBe(1);
  });

  it('says an hour and no second more where fractions of the clock add up to more', () => {
    const { clock, circuit } = make(1, Math.random);
    fail(circuit);
    clock.pass(8.731149137020111e-13);
    clock.pass(48.57600161741709);
    circuit.fail(circuit.enter(), 3_600);
    expect(circuit.retryAfter).toBe(3_600);
  });

  it('never sends more than one request at a time while it is open, nor more than one a pause', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('pass' as const), seconds: fc.double({ min: 0, max: 100, noNaN: true }) }),
      fc.record({ kind: fc.constant('ask' as const) }),
      fc.record({ kind: fc.constant('end' as const), ok: fc.boolean(), after: fc.option(fc.integer({ max: 9_999 })) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { clock, circuit } = make(1, Math.random);
        fail(circuit);
        let probe: boolean | undefined;
        for (const next of steps) {
          if (next.kind === 'pass') clock.pass(next.seconds);
          if (next.kind === 'ask' && circuit.isPassable) {
            expect(circuit.isOpen ? probe : undefined).toBeUndefined();
            probe = circuit.enter();
          }
          if (next.kind === 'end' && probe !== undefined) {
            if (next.ok) circuit.succeed(probe);
            else {
              circuit.fail(probe, next.after ?? undefined);
              expect(circuit.isPassable).toBe(false);
            }
            probe = undefined;
          }
          expect(circuit.retryAfter).toBeGreaterThanOrEqual(1);
          expect(circuit.isOpen ? circuit.retryAfter : 1).toBeLessThanOrEqual(3_600);
        }
      }),
    );
  });
});
