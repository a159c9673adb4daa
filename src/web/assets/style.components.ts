/** Each row as a card, where a table has no room. */
function cards(width: string, table: string): string {
  return `@media (max-width: ${width}) {
  ${table}, ${table} :is(tbody, tr, tbody th, td, caption) { display: block; width: auto; }
  ${table} thead:not(:has(a)) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  ${table} thead:has(a) tr { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding-bottom: .5rem; color: var(--soft); }
  ${table} thead:has(a) tr::before { content: 'Sort by'; }
  ${table} thead:has(a) th { border: 0; padding: 0; }
  ${table} thead:has(a) th:not(:has(a)) { display: none; }
  ${table} tbody tr { border: 1px solid var(--line); border-radius: var(--radius); padding: .5rem .75rem; margin-bottom: .75rem; background: var(--panel); }
  ${table} :is(tbody th, td) { border: 0; padding: .15rem 0; min-width: 0; max-width: none; }
  ${table} td[data-label] { display: grid; grid-template-columns: 9.5rem minmax(0, 1fr); gap: .5rem; text-align: left; white-space: normal; }
  ${table} td[data-label]::before { content: attr(data-label); color: var(--soft); }
}`;
}

/** What stands in pages. */
export const components = `
input, select, textarea { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--edge); border-radius: var(--radius); padding: .3rem .6rem; min-width: 0; max-width: 100%; }
.search input { flex: 1 1 4rem; width: 4rem; }
input::placeholder { color: var(--soft); opacity: 1; }
button, .button { font: inherit; cursor: pointer; color: var(--ink); background: var(--paper); border: 1px solid var(--edge); border-radius: var(--radius); padding: .3rem .8rem; text-decoration: none; display: inline-block; }
button:hover, .button:hover { background: var(--accent-soft); }
button.primary, .button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.danger, .button.danger { border-color: var(--bad); color: var(--bad); }
.actions { display: flex; flex-wrap: wrap; gap: .5rem; margin: .75rem 0; padding: 0; list-style: none; }
form.fields { display: grid; gap: .75rem; max-width: 36rem; }
form.fields label { display: grid; gap: .2rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(8rem, 100%), 1fr)); gap: .75rem; margin: 1rem 0; }
.figures > div { background: var(--panel); border: 1px solid var(--line); border-radius: var(--radius); padding: .65rem .85rem; }
.figures dt { color: var(--soft); }
.figures dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts { margin: .5rem 0 1rem; display: grid; gap: .4rem; }
.facts > div { display: grid; grid-template-columns: minmax(8rem, 14rem) minmax(0, 1fr); gap: .25rem 1rem; }
@media (min-width: 48rem) { .facts.long > div { grid-template-columns: minmax(8rem, 20rem) minmax(0, 1fr); } }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; padding: .5rem 1rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 550; overflow-wrap: anywhere; min-width: 11rem; }
tbody td { min-width: 5rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { max-width: 32rem; }
@media (min-width: 62rem) { .number + :not(.number) { padding-left: 1rem; } }
input.reference { flex: 0 1 24rem; }
time { white-space: nowrap; }
.state { display: inline-block; border-radius: 1rem; padding: 0 .6rem; white-space: nowrap; }
.state.good { color: var(--good); background: var(--good-soft); }
.state.bad { color: var(--bad); background: var(--bad-soft); font-weight: 600; }
.state.idle { color: var(--soft); background: var(--panel); }
.good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
progress { width: 8rem; max-width: 100%; accent-color: var(--sent); vertical-align: middle; }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; }
figure .ends { display: flex; justify-content: space-between; max-width: none; color: var(--soft); font-size: .875rem; }
.axis { stroke: var(--edge); }
rect.sent, .key.sent { fill: var(--sent); background: var(--sent); }
rect.received, .key.received { fill: var(--received); background: var(--received); }
.key { display: inline-block; width: .8em; height: .8em; margin-left: .5em; border-radius: 2px; }
.key:first-child { margin-left: 0; }
details { border-bottom: 1px solid var(--line); }
details h2, details h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
summary { padding: .6rem 0; cursor: pointer; }
:is(th, td, dd) details { border: 0; }
:is(th, td, dd) summary { padding: 0; }
code, pre { font: .875rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: var(--radius); padding: .75rem 1rem; margin: .25rem 0 .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
:is(p, li, dd, h2, h3, summary) code, h2, h3, summary, .notice { overflow-wrap: anywhere; }
.digest { white-space: nowrap; }
.digest.whole { white-space: normal; overflow-wrap: anywhere; }
.snippet { position: relative; }
.snippet .copy { position: absolute; top: .4rem; right: .4rem; padding: .1rem .6rem; font-size: .875rem; }
.snippet:has(.copy) pre { padding-right: 5.5rem; }
.notice { border: 1px solid var(--line); border-left: .3rem solid var(--accent); border-radius: var(--radius); background: var(--panel); padding: .6rem 1rem; margin: .75rem 0; }
.notice.bad { border-left-color: var(--bad); color: inherit; font-weight: 400; }
.pages { display: flex; gap: 1rem; margin: 1rem 0; }
@media (max-width: 47.99rem) {
  .who { margin-left: 0; }
  .figures dd { font-size: 1.25rem; }
  .facts > div { grid-template-columns: minmax(0, 1fr); gap: 0; }
  time { white-space: normal; }
}
${cards('47.99rem', 'table')}
${cards('61.99rem', 'table.wide')}
@media (max-width: 25.99rem) { table td[data-label], table.wide td[data-label] { grid-template-columns: minmax(0, 1fr); gap: 0; padding-top: .35rem; } }
`;
