// Shortens variables, and leaves functions and classes the names that NestJS and people who read stack traces go by.
import { minify } from '@swc/core';
import { transform } from 'esbuild';

/**
 * esbuild has either short names or `name` set anew on each function, which turns the properties of that function into a
 * dictionary: 3 MiB on Node 24. swc leaves names where they are; esbuild only has the last word on white space and lines.
 * @param {string} text an ES module that esbuild wrote without `keepNames` and with white space
 */
export async function shortened(text) {
  const { code } = await minify(named(text), {
    module: true,
    compress: false,
    mangle: { toplevel: true, keep_classnames: true, keep_fnames: true },
    format: { comments: false },
  });
  const { code: lines } = await transform(code, {
    format: 'esm',
    target: 'esnext',
    minifyWhitespace: true,
    // An error that nobody catches is printed with its line.
    lineLimit: 160,
    legalComments: 'none',
  });
  return lines;
}

/**
 * esbuild makes anonymous classes of declarations, or gives them a name of their own when they mention themselves. Where
 * the right name could hide another, it is set instead.
 */
function named(text) {
  return text
    .replaceAll(/(?<![.\w$])((?!\w+_1\d*\b)[A-Za-z$][\w$]*) = class (?=extends |\{)/g, '$1 = class $1 ')
    .replaceAll(/(?<![.\w$])(?:\w+ = class _(\w+)|([A-Za-z]\w*)_1\d* = class) .*\{$/gm, (head, self, decorated) =>
      [head, nameBlock(self ?? decorated)].join(' '),
    );
}

const nameBlock = (name) => `static { Object.defineProperty(this, "name", { value: "${name}", configurable: true }); }`;
