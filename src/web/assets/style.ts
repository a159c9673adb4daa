import { components } from './style.components.js';

/** Colours of both schemes have a contrast of 4.5 or more with what they stand on; nothing is fixed in width. */
const tokens = `:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f5f7fa; --ink: #1a212b; --soft: #566070; --line: #d5dbe3; --edge: #8792a2;
  --accent: #1f5fc9; --accent-soft: #e8f0fd; --on-accent: #ffffff;
  --good: #116329; --bad: #a40e26; --good-soft: #e3f4e8; --bad-soft: #fdebec;
  --sent: #1f6feb; --received: #bc4c00;
  --radius: .5rem; --gap: 1rem;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #10151c; --panel: #19202a; --ink: #e4e9f0; --soft: #a3adbb; --line: #303a47; --edge: #6f7b8b;
  --accent: #83b4ff; --accent-soft: #1b2d4a; --on-accent: #0b1526;
  --good: #62d684; --bad: #ff9a94; --good-soft: #14301f; --bad-soft: #3b1a1d;
  --sent: #58a6ff; --received: #f0883e;
} }`;

const base = `
* { box-sizing: border-box; }
html { overflow-y: scroll; -webkit-text-size-adjust: 100%; }
@media (min-width: 120rem) { html { font-size: 112.5%; } }
@media (min-width: 200rem) { html { font-size: 150%; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 75ch; }
a { color: var(--accent); text-underline-offset: .15em; }
a:hover { text-decoration-thickness: .125em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100vw; top: 0; z-index: 1; background: var(--paper); padding: .5rem 1rem; }
.skip:focus { left: 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.note, footer { color: var(--soft); }
header { border-bottom: 1px solid var(--line); background: var(--panel); }
.bar, main, footer { max-width: 80rem; margin: 0 auto; padding: 0 1rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; padding-top: .6rem; padding-bottom: .6rem; }
.brand { display: inline-flex; align-items: center; gap: .5rem; font-weight: 650; font-size: 1.1rem; color: var(--ink); text-decoration: none; }
.logo { flex: none; width: 1.9rem; height: 1.9rem; }
.logo-1 { fill: var(--accent); }
.logo-2 { fill: var(--accent); opacity: .7; }
.logo-3 { fill: var(--accent); opacity: .4; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem .25rem; list-style: none; padding: 0; margin: 0; }
header nav a { display: block; padding: .25rem .6rem; border-radius: var(--radius); color: var(--ink); text-decoration: none; }
header nav a:hover { background: var(--accent-soft); }
header nav a[aria-current] { background: var(--accent-soft); font-weight: 600; }
.search { display: flex; gap: .35rem; flex: 1 1 12rem; min-width: 0; max-width: 24rem; }
.who { margin: 0 0 0 auto; color: var(--soft); overflow-wrap: anywhere; }
nav.sections ul { gap: .25rem 1.25rem; margin-top: .5rem; }
main { padding-top: 1.75rem; padding-bottom: 2rem; min-height: 60vh; outline: none; }
footer { padding-top: 1rem; padding-bottom: 2rem; }
@media print { header, footer, .copy, .skip { display: none; } }
@media (prefers-reduced-motion: no-preference) { a, button { transition: background-color .12s; } }
`;

/** The only style of all pages. */
export const style = tokens + base + components;
