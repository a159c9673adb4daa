import { decadeScale, linearScale, logScale, type Scale } from './scale.js';

export interface Drawing {
  readonly title: string;
  /** What the lines show, in words. */
  readonly description: string;
  /** Of the horizontal axis, which is logarithmic; the same for all panels. */
  readonly axis: string;
  readonly xs: readonly { readonly value: number; readonly label: string }[];
  /** One for each line of every panel: at most two. */
  readonly series: readonly string[];
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** For each series one value for each x. */
  readonly lines: readonly (readonly number[])[];
}

const panelWidth = 380;
const height = 338;
const plot = { left: 64, top: 82, width: 290, height: 196 };

// An image in a page follows the reader's preference by itself. The lines differ in dashes and marks besides colour.
const style = `
    .ground { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px }
    .grid { stroke: #d1d9e0 } .line { fill: none; stroke-width: 2 }
    .s0 { stroke: #0550ae } .m0 { fill: #0550ae } .s1 { stroke: #bc4c00; stroke-dasharray: 6 4 } .m1 { fill: #bc4c00 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #3d444d }
      .s0 { stroke: #79c0ff } .m0 { fill: #79c0ff } .s1 { stroke: #ffa657 } .m1 { fill: #ffa657 }
    }
  `;

/** An SVG file with the panels side by side. */
export function draw(drawing: Drawing): string {
  const width = panelWidth * drawing.panels.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
  <title id="title">${escape(drawing.title)}</title>
  <desc id="desc">${escape(drawing.description)}</desc>
  <style>${style}</style>
  <rect class="ground" width="${width}" height="${height}"/>
  <text class="title" x="16" y="24">${escape(drawing.title)}</text>
${drawing.series.map((name, index) => legend(name, index)).join('\n')}
${drawing.panels.map((panel, index) => panelOf(panel, index, drawing)).join('\n')}
</svg>
`;
}

function legend(name: string, index: number): string {
  const x = 16 + index * 110;
  return `  <path class="line s${index}" d="M${x} 42h28"/>${mark(index, x + 14, 42)}<text x="${x + 36}" y="46">${escape(name)}</text>`;
}

function panelOf(panel: Panel, index: number, { xs, axis }: Drawing): string {
  const across = logScale(
    xs.map(({ value }) => value),
    plot.width,
  );
  const up = (panel.scale === 'log' ? decadeScale : linearScale)(panel.lines.flat(), plot.height);
  const bottom = plot.height;
  const parts = [
    `<text x="${-plot.left + 16}" y="-16">${escape(panel.label)}</text>`,
    ...up.ticks.map((tick) => horizontal(tick, bottom - up.at(tick))),
    ...xs.map(
      ({ value, label }) =>
        `<text x="${round(across.at(value))}" y="${bottom + 18}" text-anchor="middle">${escape(label)}</text>`,
    ),
    `<text x="${plot.width / 2}" y="${bottom + 40}" text-anchor="middle">${escape(axis)}</text>`,
    ...panel.lines.map((values, series) => lineOf(values, series, across, up)),
  ];
  return `  <g transform="translate(${index * panelWidth + plot.left} ${plot.top})">\n    ${parts.join('\n    ')}\n  </g>`;
}

function horizontal(tick: number, y: number): string {
  const label = `<text x="-8" y="${round(y + 4)}" text-anchor="end">${tickLabel(tick)}</text>`;
  return `<path class="grid" d="M0 ${round(y)}h${plot.width}"/>${label}`;
}

function lineOf(values: readonly number[], series: number, across: Scale, up: Scale): string {
  const points = values.map((value, index) => {
    return { x: round(across.at(across.ticks[index]!)), y: round(plot.height - up.at(value)) };
  });
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  return `<path class="line s${series}" d="${path}"/>${points.map(({ x, y }) => mark(series, x, y)).join('')}`;
}

function mark(series: number, x: number, y: number): string {
  if (series === 0) return `<circle class="m0" cx="${x}" cy="${y}" r="4"/>`;
  return `<rect class="m1" x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8"/>`;
}

function tickLabel(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
