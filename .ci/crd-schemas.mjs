// Writes JSON schemas, as kubeconform looks for them, from files with CustomResourceDefinitions:
//   node .ci/crd-schemas.mjs FOLDER FILE…
// Unknown keys are refused, as in the strict schemas of Kubernetes, unless the definition preserves them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';

const [folder, ...files] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

function strict(node) {
  if (Array.isArray(node)) return node.map(strict);
  if (typeof node !== 'object' || node === null) return node;
  const { 'x-kubernetes-int-or-string': isIntOrString, ...rest } = node;
  if (isIntOrString) return { oneOf: [{ type: 'string' }, { type: 'integer' }] };
  const copy = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, strict(value)]));
  const isClosed = rest.type === 'object' && rest.properties && rest.additionalProperties === undefined;
  return isClosed && !rest['x-kubernetes-preserve-unknown-fields'] ? { ...copy, additionalProperties: false } : copy;
}

for (const file of files) {
  for (const { spec } of loadAll(readFileSync(file, 'utf8'))) {
    for (const { name, schema } of spec.versions) {
      const schemaFile = `${folder}/${spec.names.kind.toLowerCase()}-${spec.group.split('.')[0]}-${name}.json`;
      const closed = strict(schema.openAPIV3Schema);
      closed.properties.metadata = { type: 'object' };
      writeFileSync(schemaFile, JSON.stringify(closed));
    }
  }
}
