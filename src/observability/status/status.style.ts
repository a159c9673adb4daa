import { createHash } from 'node:crypto';

/** The whole look of the page: colours of both schemes with a contrast of 4.5 or more, and nothing fixed in width. */
export const statusStyle = `
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #8c959f; --panel: #f3f5f7; --link: #0550ae;
  --sent: #0969da; --received: #bc4c00; --good: #116329; --bad: #a40e26; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #0d1117; --ink: #e6edf3; --soft: #9ea7b3; --line: #6e7681; --panel: #161b22; --link: #79c0ff;
  --sent: #58a6ff; --received: #f0883e; --good: #56d364; --bad: #ff8f87; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0 .75rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; top: 0; background: var(--paper); padding: .5rem 1rem; }
.skip:focus { left: 0; }
.note, footer { color: var(--soft); }
footer { padding-top: 2rem; padding-bottom: 2rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: .5rem 0 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 0; }
.figures div { background: var(--panel); border-radius: .5rem; padding: .75rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .25rem; }
th { overflow-wrap: break-word; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
thead th { color: var(--soft); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
progress { width: 8rem; max-width: 100%; accent-color: var(--sent); }
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 14px; }
.axis { stroke: var(--line); }
rect.sent { fill: var(--sent); }
rect.received { fill: var(--received); }
.key { display: inline-block; width: .8em; height: .8em; margin-left: .5em; }
.key.sent { background: var(--sent); }
.key.received { background: var(--received); }
details { border-bottom: 1px solid var(--line); }
summary { padding: .5rem 0; cursor: pointer; }
pre { background: var(--panel); border-radius: .5rem; padding: .75rem 1rem; margin: .25rem 0 .75rem; white-space: pre-wrap; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
`;

/** The page's only style is this one; the policy names it by its hash, so that nothing else is applied. */
export const statusPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(statusStyle).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
