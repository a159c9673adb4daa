import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const { shortened } = (await import(resolve('scripts/bundle.names.mjs'))) as {
  shortened: (text: string) => Promise<string>;
};

/** As esbuild writes it: a function, a class, one that mentions itself, and one with a decorator. */
const bundled = `
function first(parameter) { return parameter; }
const second = (parameter) => parameter;
var Plain = class {
  method(parameter) { return parameter; }
};
var Derived = class extends Plain {
};
var Itself = class _Itself extends Plain {
  static make() { return new _Itself(); }
}, Decorated_1, Decorated = Decorated_1 = class {
  static make() { return new Decorated_1(); }
};
export { first, second, Plain, Derived, Itself, Decorated };
`;

it('leaves functions and classes their names, and shortens variables', async () => {
  const text = await shortened(bundled);
  const all = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as Record<string, { name: string }>;
  for (const [name, value] of Object.entries(all)) expect(value.name).toBe(name);
  expect(text).not.toContain('parameter');
  expect((all.Itself as unknown as { make: () => object }).make().constructor.name).toBe('Itself');
  expect((all.Decorated as unknown as { make: () => object }).make().constructor.name).toBe('Decorated');
});

it('sets no name where none is missing, because each would take a dictionary of properties', async () => {
  const text = await shortened(bundled);
  expect(text.match(/defineProperty/g)).toHaveLength(2);
});
