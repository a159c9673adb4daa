import { renderToString } from 'preact-render-to-string';
import { Layout, type Frame } from './components/layout.js';
import { FormatsContext } from './components/values.js';
import type { Formats } from './format/formats.js';
import type { PageView } from './page.js';
import { Transfers, type TransfersView } from './pages/overview/transfers.js';

/** A whole page as text. Everything in it that is not markup of this program is escaped. */
export function renderPage(view: PageView, frame: Frame): string {
  return `<!doctype html>${renderToString(
    <FormatsContext.Provider value={frame.formats}>
      <Layout view={view} frame={frame} />
    </FormatsContext.Provider>,
  )}\n`;
}

/** The part of the overview that changes while somebody looks at it. */
export function renderTransfers(view: TransfersView, formats: Formats): string {
  return renderToString(
    <FormatsContext.Provider value={formats}>
      <Transfers view={view} />
    </FormatsContext.Provider>,
  );
}
