import { describe, expect, it } from 'vitest';
import { elementsOf, encode, encodeInteger, integerOf, MalformedMessage, sizeOf } from './ber.js';
import { Inbox } from './inbox.js';
import { parseEntry, parseMessage, resultOf } from './messages.js';

describe('elements of BER', () => {
  it.each([0, 1, 127, 128, 255, 256, 32_767, 32_768, 8_388_608, 2_147_483_647])('have the number %i back', (value) => {
    const [element] = elementsOf(encodeInteger(value));
    expect(integerOf(element)).toBe(value);
  });

  it('have the shortest form of a number (X.690 §8.3.2)', () => {
    expect([1, 128, 65_535].map((value) => encodeInteger(value).toString('hex'))).toEqual([
      '020101',
      '02020080',
      '020300ffff',
    ]);
  });

  it.each([0, 127, 128, 70_000])('have %i bytes back', (size) => {
    const bytes = encode(0x04, Buffer.alloc(size, 1));
    expect(sizeOf(bytes)).toBe(bytes.length);
    const [element, ...others] = elementsOf(bytes);
    expect([element?.tag, element?.contents.equals(Buffer.alloc(size, 1)), others]).toEqual([0x04, true, []]);
  });

  it.each(['3080', '3085ffffffffff', '30ff', '1f00', '3005', '04'])('are refused: %s', (hex) => {
    expect(() => elementsOf(Buffer.from(hex, 'hex'))).toThrow(MalformedMessage);
  });
});

describe('messages in pieces', () => {
  const messages = [encode(0x30, Buffer.alloc(3)), encode(0x30, Buffer.alloc(300)), encode(0x30)];

  it.each([1, 2, 5, 7, 1000])('of %i bytes are whole again', (size) => {
    const inbox = new Inbox();
    const all = Buffer.concat(messages);
    const found: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) {
      inbox.add(all.subarray(at, at + size));
      for (let bytes = inbox.take(); bytes; bytes = inbox.take()) found.push(bytes);
    }
    expect(found).toEqual(messages);
    expect(inbox.isEmpty).toBe(true);
  });

  it('are refused when they are too long, before they are there, and when there are too many', () => {
    const inbox = new Inbox();
    inbox.add(Buffer.from('30847fffffff', 'hex'));
    expect(() => inbox.take()).toThrow(MalformedMessage);
    const other = new Inbox();
    expect(() => {
      for (let count = 0; count < 20; count += 1) {
        other.add(encode(0x30, Buffer.alloc(100_000)));
        other.take();
      }
    }).toThrow(MalformedMessage);
  });
});

describe('whatever a directory sends', () => {
  it('is a message, an entry or a result, or is refused, and never takes long', () => {
    const seed = encode(
      0x30,
      encodeInteger(2),
      encode(
        0x64,
        encode(0x04, 'cn=a'),
        encode(0x30, encode(0x30, encode(0x04, 'memberOf'), encode(0x31, encode(0x04, 'cn=b,dc=c')))),
      ),
    );
    for (let count = 0; count < 20_000; count += 1) {
      const bytes = Buffer.from(seed);
      for (let change = 0; change <= count % 3; change += 1)
        bytes[Math.floor(Math.random() * bytes.length)] = Math.floor(Math.random() * 256);
      const inbox = new Inbox();
      inbox.add(bytes.subarray(0, bytes.length - (count % 5)));
      try {
        const message = inbox.take();
        if (!message) continue;
        const { operation } = parseMessage(message);
        if (operation.tag === 0x64) parseEntry(operation, ['memberOf']);
        else resultOf(operation, operation.tag);
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw new Error(bytes.toString('hex'), { cause: error });
      }
    }
  });
});
