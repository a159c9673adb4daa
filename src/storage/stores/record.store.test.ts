import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryProvider } from '../providers/memory/memory.provider.js';
import { RecordStore, type RecordFields } from './record.store.js';
import { StorageError } from '../storage-error.js';
import { keysUnder } from '../testing/content.js';

const key = 'repositories/docker.io/library/busybox/_tags/latest';
const readName = ({ name }: RecordFields) => (typeof name === 'string' ? { name } : undefined);

let provider: MemoryProvider;
let records: RecordStore;

beforeEach(() => {
  provider = new MemoryProvider();
  records = new RecordStore(provider);
});

const plant = (content: string | Buffer) => provider.write(key, Buffer.from(content));

describe('RecordStore', () => {
  it('finds what was put', async () => {
    await records.put(key, { name: 'busybox' });
    expect(await records.find(key, readName)).toEqual({ name: 'busybox' });
  });

  it('finds nothing where nothing is, and sets nothing aside', async () => {
    expect(await records.find(key, readName)).toBeUndefined();
    expect(await keysUnder(provider, 'damaged')).toEqual([]);
  });

  it('writes JSON with a version', async () => {
    await records.put(key, { name: 'busybox' });
    expect(JSON.parse((await provider.read(key, 1000)).toString())).toEqual({ version: 1, name: 'busybox' });
  });

  it('ignores fields that it does not know', async () => {
    await plant('{"version":1,"name":"busybox","later":[1]}');
    expect(await records.find(key, readName)).toEqual({ name: 'busybox' });
  });

  const damaged = {
    'an empty file': '',
    'a file of NULs, as a power cut leaves them': Buffer.alloc(200),
    'a truncated record': '{"version":1,"name":"busyb',
    'no JSON at all': '<html>',
    'a list': '[{"version":1,"name":"busybox"}]',
    'a text': '"version"',
    null: 'null',
    'a record without a version': '{"name":"busybox"}',
    'a version that is no number': '{"version":"1","name":"busybox"}',
    'a version that never was': '{"version":0,"name":"busybox"}',
    'a record without its field': '{"version":1}',
    'a field of another type': '{"version":1,"name":7}',
    'bytes that are no UTF-8': Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
  };
  for (const [what, content] of Object.entries(damaged)) {
    it(`sets ${what} aside, counts it as absent, and takes a new one`, async () => {
      await plant(content);
      expect(await records.find(key, readName)).toBeUndefined();
      expect(await provider.read(`damaged/${key}`, 1000)).toEqual(Buffer.from(content));
      expect(await keysUnder(provider, 'repositories')).toEqual([]);
      await records.put(key, { name: 'again' });
      expect(await records.find(key, readName)).toEqual({ name: 'again' });
    });
  }

  it('counts a record that is too large as damaged, without reading it', async () => {
    await plant(JSON.stringify({ version: 1, name: 'x'.repeat(70_000) }));
    expect(await records.find(key, readName)).toBeUndefined();
    expect(await keysUnder(provider, 'repositories')).toEqual([]);
    expect(await keysUnder(provider, 'damaged')).toEqual([`damaged/${key}`]);
  });

  it('neither uses nor moves a record of a newer program', async () => {
    const newer = '{"version":2,"name":"busybox","more":true}';
    await plant(newer);
    await expect(records.find(key, readName)).rejects.toMatchObject({ name: 'StorageError', kind: 'newer-version' });
    expect((await provider.read(key, 1000)).toString()).toBe(newer);
    expect(await keysUnder(provider, 'damaged')).toEqual([]);
  });

  it('rethrows failures: a record that cannot be read is not absent', async () => {
    class Broken extends MemoryProvider {
      override read(): Promise<Buffer> {
        return Promise.reject(new StorageError('failed', 'the storage could not read an object (EIO)'));
      }
    }
    await expect(new RecordStore(new Broken()).find(key, readName)).rejects.toMatchObject({ kind: 'failed' });
  });

  it('counts a damaged record as absent on a full disk, too', async () => {
    class FullProvider extends MemoryProvider {
      override write(): Promise<void> {
        return Promise.reject(new StorageError('full', 'no space left'));
      }
    }
    await plant('{"version":1,"na');
    const full = new FullProvider();
    full.read = (name, limit) => provider.read(name, limit);
    expect(await new RecordStore(full).find(key, readName)).toBeUndefined();
  });
});
