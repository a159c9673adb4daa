import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.js';

const planted = 'hunter2-very-secret';
const secret = new Secret(planted);

/** What a console prints with it. */
function printed(print: (console: Console) => void): string {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  print(new Console({ stdout: stream, stderr: stream }));
  return lines.join('');
}

describe('Secret', () => {
  it('gives its value only when it is asked to', () => expect(secret.reveal()).toBe(planted));

  const ways: Record<string, () => string> = {
    String: () => String(secret),
    'a template': () => `${secret.toString()} ${[secret].join()}`,
    'adding text': () => (secret as unknown as string) + '!',
    JSON: () => JSON.stringify({ password: secret, list: [secret] }, null, 2),
    inspect: () => inspect(secret),
    'inspect of an object around it': () => inspect({ deep: { er: [secret] } }, { depth: null }),
    'inspect with everything shown': () => inspect(secret, { showHidden: true, getters: true }),
    'inspect without custom inspection': () => inspect({ secret }, { customInspect: false, showHidden: true }),
    format: () => format('%s %o %O %j %d', secret, secret, secret, secret, secret),
    'console.log': () => printed((console) => console.log(secret, { secret })),
    'console.dir': () => printed((console) => console.dir({ secret }, { showHidden: true })),
    'console.table': () => printed((console) => console.table([{ secret }])),
    'an error message': () => String(new Error(`cannot sign in with ${secret.toString()}`)),
    'an error cause': () => inspect(new Error('cannot sign in', { cause: secret })),
    'its own keys': () => Reflect.ownKeys(secret).map(String).join() + Object.entries(secret).join(),
    'a structured clone': () => inspect(structuredClone(Object.assign({}, secret))),
  };
  for (const [way, print] of Object.entries(ways)) {
    it(`does not show its value by ${way}`, () => expect(print()).not.toContain(planted));
  }

  it('prints as stars', () => {
    expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual(['***', '"***"', '***']);
  });
});
