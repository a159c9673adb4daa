import { renderToString } from 'preact-render-to-string';
import { Layout, type Frame } from './components/layout.js';
import { FormatsContext } from './components/values.js';
import type { PageView } from './page.js';

/** A whole page as text. Everything in it that is not markup of this program is escaped. */
export function renderPage(view: PageView, frame: Frame): string {
  return `<!doctype html>${renderToString(
    <FormatsContext.Provider value={frame.formats}>
      <Layout view={view} frame={frame} />
    </FormatsContext.Provider>,
  )}\n`;
}
