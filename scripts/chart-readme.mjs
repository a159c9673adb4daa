// Makes charts/oci-registry/README.md from the comments of values.yaml: `node scripts/chart-readme.mjs`.
// With --check it writes nothing, and fails when the README is old, or when values, comments, schema and the program's
// settings do not say the same.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { format, resolveConfig } from 'prettier';

const chart = 'charts/oci-registry';
const read = (file) => readFileSync(file, 'utf8');
const values = load(read(`${chart}/values.yaml`));
const schema = JSON.parse(read(`${chart}/values.schema.json`));

/** Settings of the program that the chart leaves to `extraEnv`, each with its reason. */
const leftOut = new Map([
  ['UPSTREAM_CREDENTIALS', 'the map is in a mounted file, which is read again when the secret changes'],
  ['DRAIN_DELAY', 'preStopSeconds holds the signal itself back'],
  ['WEBHOOKS_QUEUE', 'needs a volume of your own; the default is on the volume for content'],
  ['WORKERS', 'replicas do that on Kubernetes, each with metrics and limits of its own'],
  ['CUSTOM_MODULE', 'needs an image of your own'],
  ['CUSTOM_OPTIONS', 'needs an image of your own'],
]);

/** Variables of the system, which are no settings. */
const ofSystem = new Set(['TMPDIR']);

/** Keys that are accepted without being offered. */
const silent = new Set(['global', 'image.pullSecret']);

/** @returns path → comment, in the file's order; comments that begin with `# --` belong to the key below them */
function comments(text) {
  const found = new Map();
  const parents = [];
  let comment;
  for (const line of text.split('\n')) {
    const [, remark] = /^\s*# -- (.*)$/.exec(line) ?? [];
    if (remark !== undefined) comment = remark;
    const [, indent, key] = /^( *)([A-Za-z0-9_.-]+):(?: |$)/.exec(line) ?? [];
    if (key === undefined) continue;
    parents.length = indent.length / 2;
    parents.push(key);
    if (comment !== undefined) found.set(parents.join('.'), comment);
    comment = undefined;
  }
  return found;
}

const isMap = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const at = (path) => path.split('.').reduce((value, key) => value?.[key], values);

/** Paths of values without children, those below a documented map left out: its comment speaks for all of it. */
function* leaves(value, documented, path = []) {
  if (path.length > 0 && (documented.has(path.join('.')) || !isMap(value) || Object.keys(value).length === 0))
    yield path.join('.');
  else for (const [key, child] of Object.entries(value)) yield* leaves(child, documented, [...path, key]);
}

const resolve = (node) => (node?.$ref ? resolve(schema.$defs[node.$ref.replace('#/$defs/', '')]) : node);
const inSchema = (path) =>
  path.split('.').reduce((node, key) => (node ? resolve(resolve(node).properties?.[key]) : undefined), schema);

/** Paths that the schema names and that belong to values.yaml. */
function* offered(node, documented, path = []) {
  for (const [key, child] of Object.entries(resolve(node).properties ?? {})) {
    const here = [...path, key];
    if (silent.has(here.join('.'))) continue;
    yield here.join('.');
    if (!documented.has(here.join('.'))) yield* offered(child, documented, here);
  }
}

/** Where maps with named keys admit others too, which would let a misspelt key pass. */
function* lenient(node, path = '#') {
  if (typeof node !== 'object' || node === null) return;
  if (node.type === 'object' && node.properties && node.additionalProperties !== false) yield path;
  for (const [key, child] of Object.entries(node)) yield* lenient(child, `${path}/${key}`);
}

function* mistakes(documented) {
  for (const path of leaves(values, documented)) {
    if (!documented.has(path)) yield `values.yaml: ${path} has no comment`;
    if (!inSchema(path)) yield `values.schema.json: ${path} is not there`;
  }
  for (const path of offered(schema, documented))
    if (at(path) === undefined) yield `values.yaml: ${path} of the schema is not there`;
  for (const path of lenient(schema)) yield `values.schema.json: ${path} admits unknown keys`;
  const settings = new Set(
    [...read('docs/configuration.md').matchAll(/^\| `--[^|]*\| `([A-Z0-9_]+)`/gm)].map(([, name]) => name),
  );
  const templates = readdirSync(`${chart}/templates`, { recursive: true })
    .filter((file) => /[.](?:tpl|yaml|txt)$/.test(file))
    .map((file) => [file, read(`${chart}/templates/${file}`)]);
  const set = new Set(
    templates.flatMap(([, text]) => [...text.matchAll(/list "([A-Z0-9_]+)"/g)].map(([, name]) => name)),
  );
  if (templates.some(([, text]) => text.includes('"name" "ADVERTISE_URL"'))) set.add('ADVERTISE_URL');
  for (const name of settings)
    if (!set.has(name) && !leftOut.has(name)) yield `templates: ${name} of docs/configuration.md is not set`;
  for (const name of set)
    if (!settings.has(name) && !ofSystem.has(name)) yield `templates: docs/configuration.md does not know ${name}`;
  for (const [file, text] of templates)
    if (!file.startsWith('_') && !text.startsWith('{{- include "oci-registry.prepare" . -}}'))
      yield `templates/${file} does not begin with oci-registry.prepare`;
}

function readme(documented) {
  const cell = (value) => `\`${JSON.stringify(value)}\``.replaceAll('|', '\\|');
  const rows = [...documented].map(
    ([path, text]) => `| \`${path}\` | ${cell(at(path))} | ${text.replaceAll('|', '\\|')} |`,
  );
  return (
    read(`${chart}/README.head.md`) +
    `\n## Values\n\n| value | default | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  );
}

const documented = comments(read(`${chart}/values.yaml`));
const file = `${chart}/README.md`;
const text = await format(readme(documented), { ...(await resolveConfig(file)), parser: 'markdown' });
const found = [...mistakes(documented)];
if (process.argv.includes('--check')) {
  if (read(file) !== text) found.push(`${file} is old: node scripts/chart-readme.mjs makes it`);
} else {
  writeFileSync(file, text);
}
for (const mistake of found) console.error(mistake);
if (found.length > 0) process.exitCode = 1;
