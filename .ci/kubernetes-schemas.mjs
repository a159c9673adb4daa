// Copies the strict schemas of some versions of Kubernetes to where kubeconform looks for them:
//   node .ci/kubernetes-schemas.mjs FROM TO VERSION…
// They name themselves and each other by addresses of the program that they come with; files name each other here.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';

const [from, to, ...versions] = process.argv.slice(2);
for (const version of versions) {
  const source = `${from}/v${version}-local-strict`;
  const target = `${to}/v${version}-strict`;
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(source)) {
    const schema = JSON.parse(readFileSync(`${source}/${file}`, 'utf8'));
    delete schema.$id;
    const text = JSON.stringify(schema).replaceAll('"/api/_definitions.json#', '"_definitions.json#');
    writeFileSync(`${target}/${file}`, text);
  }
}
