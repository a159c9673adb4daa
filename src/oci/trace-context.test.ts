import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTraceContext } from './trace-context.js';

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('parseTraceContext', () => {
  it.each([
    [parent, undefined, parent, undefined],
    [parent, 'rojo=00f067aa0ba902b7, congo=t61rcWkgMzE', parent, 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'],
    [parent, 'tenant@vendor=a b,, x=1 ', parent, 'tenant@vendor=a b,x=1'],
    [`cc${parent.slice(2)}-what-comes-later`, undefined, parent, undefined],
  ])('takes %j with %j', (traceparent, tracestate, expectedParent, expectedState) => {
    const expected = { traceparent: expectedParent, tracestate: expectedState };
    expect(parseTraceContext(traceparent, tracestate)).toEqual(expected);
  });

  it.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['a version that is forbidden', `ff${parent.slice(2)}`],
    ['more than version 00 has', `${parent}-more`],
    ['capitals', parent.toUpperCase()],
    ['no trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['no parent', `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`],
    ['two of them', `${parent}, ${parent}`],
    ['another line', `${parent}\r\nauthorization: x`],
    ['a long one', `01${parent.slice(2)}-${'x'.repeat(1000)}`],
  ])('takes no parent that is %s', (_, traceparent) => {
    expect(parseTraceContext(traceparent, 'a=1')).toBeUndefined();
  });

  it.each([
    ['', 'a', 'a=', '=1', 'A=1', 'a=1,a=2', 'a=1;b=\u0001', 'a=b=c', 'a=ü'],
    [Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(','), `a=${'x'.repeat(257)}`, `${'a'.repeat(257)}=1`],
  ])('leaves out a state that is malformed or too long', (...states) => {
    for (const state of states)
      expect([state, parseTraceContext(parent, state)?.tracestate]).toEqual([state, undefined]);
  });

  it('never gives what a header could not have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (state) => {
        const taken = parseTraceContext(parent, state)?.tracestate;
        expect(taken === undefined || /^[\x20-\x7e]{1,512}$/.test(taken)).toBe(true);
      }),
    );
  });
});
