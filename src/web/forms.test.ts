import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FormToken, readForm } from './forms.js';

describe('the token of a form', () => {
  it('is made once for a browser, which brings it back in a cookie and in a field', () => {
    const first = new FormToken(undefined);
    expect(first.cookie).toBeUndefined();
    const value = first.value(true);
    expect(first.value(true)).toBe(value);
    expect(first.cookie).toBe(`oci-registry-form=${value}; Path=/_ui; HttpOnly; SameSite=Strict; Secure`);
    const next = new FormToken(`a=b; oci-registry-form=${value}; c=d`);
    expect(next.value(true)).toBe(value);
    expect(next.cookie).toBeUndefined();
    expect(next.isIn(new URLSearchParams({ csrf: value }))).toBe(true);
  });

  it.each([
    ['no cookie', undefined, 'x'.repeat(32)],
    ['no field', `oci-registry-form=${'x'.repeat(32)}`, ''],
    ['neither', undefined, ''],
    ['another field', `oci-registry-form=${'x'.repeat(32)}`, 'y'.repeat(32)],
    ['a short cookie', 'oci-registry-form=x', 'x'],
    ['a cookie of another name', `not-oci-registry-form=${'x'.repeat(32)}`, 'x'.repeat(32)],
    ['more bytes than characters', `oci-registry-form=${'x'.repeat(32)}`, 'é'.repeat(32)],
  ])('is not accepted: %s', (_, cookie, csrf) => {
    expect(new FormToken(cookie).isIn(new URLSearchParams({ csrf }))).toBe(false);
  });
});

describe('reading a form', () => {
  const bodyOf = (...chunks: string[]) => Readable.from(chunks.map((text) => Buffer.from(text)));

  it('joins what arrives in pieces, within a bound', async () => {
    const form = await readForm(bodyOf('a=1&b=%C3', '%A9'));
    expect([...form]).toEqual([
      ['a', '1'],
      ['b', 'é'],
    ]);
    await expect(readForm(bodyOf('a='.padEnd(70_000, 'x')))).rejects.toMatchObject({ status: 413 });
  });

  it('fails when the client leaves', async () => {
    const body = new Readable({ read: () => undefined });
    body.destroy(new Error('gone'));
    await expect(readForm(body)).rejects.toMatchObject({ status: 400 });
  });
});
