/*
 * A program of its own: stores things in the folder of its first argument, and kills itself before the step of the file
 * system whose number is its second. It says how many steps there were when it comes to its end.
 */
import * as files from 'node:fs/promises';
import { Digest } from '../../../build/oci/digest.js';
import { parseManifest } from '../../../build/oci/manifest.js';
import { Namespace } from '../../../build/oci/namespace.js';
import { Tag } from '../../../build/oci/reference.js';
import { RepositoryRef } from '../../../build/oci/repository.js';
import { ContentStore } from '../../../build/storage/stores/content.store.js';
import { ManifestStore } from '../../../build/storage/stores/manifest.store.js';
import { FilesystemProvider } from '../../../build/storage/providers/filesystem/filesystem.provider.js';
import { StoredObjects } from '../../../build/storage/stores/stored.objects.js';
import { TagStore } from '../../../build/storage/stores/tag.store.js';

const [, , root = '', last = ''] = process.argv;
let steps = 0;

function step() {
  if (steps === Number(last)) process.kill(process.pid, 'SIGKILL');
  steps += 1;
}

/** Every call of an object counts as a step; what `open` gives is watched as well. */
function watched(target) {
  return new Proxy(target, {
    get(object, name) {
      const value = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      return (...args) => {
        // Half of a write may have come to the disk.
        if (name === 'write' && steps === Number(last)) void value.call(object, args[0], args[1], 1, args[3]);
        step();
        const result = value.apply(object, args);
        return name === 'open' ? result.then((handle) => watched(handle)) : result;
      };
    },
  });
}

const provider = new FilesystemProvider(root, watched(files));
await provider.initialize();
const [contents, manifests, tags] = [new ContentStore(provider), new ManifestStore(provider), new TagStore(provider)];
const repository = RepositoryRef.of(Namespace.parse('registry.test'), 'app');
const access = { isPrivate: false, agreedAt: 1 };
const layer = Buffer.alloc(100_000, 'layer');
const digest = Digest.of(layer);

const ingest = await contents.createIngest(digest, { size: layer.length });
await ingest.append(layer.subarray(0, 60_000));
await ingest.append(layer.subarray(60_000));
await contents.commit(ingest, digest);
await contents.link(repository, digest, { size: layer.length, ...access });
await ingest.close();

const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: {}, layers: [] }));
const manifest = parseManifest(body, mediaType, 'sha256');
await manifests.put(repository, manifest, access);
for (const checkedAt of [1, 2]) {
  await tags.put(repository, Tag.parse('latest'), { digest: manifest.digest, mediaType, size: body.length, checkedAt });
}
await contents.discard(digest);
const objects = new StoredObjects(provider);
for await (const record of objects.records()) if (record.digest?.equals(digest) === true) await objects.remove(record);
await objects.putState('usage', { bytes: 1, objects: 1, damaged: 1 });
process.stdout.write(String(steps));
