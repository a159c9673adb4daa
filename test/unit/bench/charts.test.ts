import { describe, expect, it } from 'vitest';
import { draw, type Drawing } from '../../../bench/charts/drawing.js';
import { replaceSection } from '../../../bench/charts/page.js';
import { decadeScale, linearScale, logScale } from '../../../bench/charts/scale.js';

describe('a linear scale', () => {
  it.each([
    { highest: 97, ticks: [0, 50, 100] },
    { highest: 100, ticks: [0, 50, 100] },
    { highest: 1900, ticks: [0, 500, 1000, 1500, 2000] },
    { highest: 0.42, ticks: [0, 0.2, 0.4, 0.6] },
  ])('goes from 0 to a round number that $highest does not pass', ({ highest, ticks }) => {
    const scale = linearScale([highest / 3, highest], 200);
    expect(scale.ticks.map((tick) => Number(tick.toPrecision(6)))).toEqual(ticks);
    expect(scale.at(0)).toBe(0);
    expect(scale.at(ticks.at(-1)!)).toBeCloseTo(200);
  });

  it('has a length when nothing was measured but zeros', () => {
    expect(linearScale([0, 0], 200).at(0)).toBe(0);
  });
});

describe('a logarithmic scale', () => {
  it('puts equal factors at equal distances', () => {
    const { at } = logScale([1, 10, 100, 1000], 300);
    expect([1, 10, 100, 1000].map((value) => Math.round(at(value)))).toEqual([0, 100, 200, 300]);
  });

  it('has whole decades around the values', () => {
    expect(decadeScale([0.42, 788], 300).ticks).toEqual([0.1, 1, 10, 100, 1000]);
    expect(decadeScale([5, 5], 300).ticks).toEqual([1, 10]);
    expect(decadeScale([10, 1000], 300).ticks).toEqual([10, 100, 1000]);
  });
});

describe('a drawing', () => {
  const drawing: Drawing = {
    title: 'Size & speed',
    description: 'Faster with <size>.',
    axis: 'size, logarithmic',
    xs: [
      { value: 1e3, label: '1 kB' },
      { value: 2e9, label: '2 GB' },
    ],
    series: ['mirror', 'docker-registry'],
    panels: [
      {
        label: 'throughput, MB/s',
        scale: 'log',
        lines: [
          [9, 788],
          [1, 1460],
        ],
      },
      {
        label: 'memory, MiB',
        scale: 'linear',
        lines: [
          [100, 110],
          [50, 90],
        ],
      },
    ],
  };
  const svg = draw(drawing);

  it('names the lines and the axes, and says in words what it shows', () => {
    for (const name of ['mirror', 'docker-registry', 'throughput, MB/s', 'memory, MiB', 'size, logarithmic', '2 GB']) {
      expect(svg).toContain(`>${name}</text>`);
    }
    expect(svg).toContain('<title id="title">Size &#38; speed</title>');
    expect(svg).toContain('<desc id="desc">Faster with &#60;size&#62;.</desc>');
  });

  it('has colours for dark pages', () => {
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
  });

  it('has every value inside the plot', () => {
    const marks = [...svg.matchAll(/<circle class="m0" cx="([\d.]+)" cy="([\d.]+)"/g)].slice(1);
    expect(marks).toHaveLength(4);
    for (const [, x, y] of marks) {
      expect(Number(x)).toBeLessThanOrEqual(290);
      expect(Number(y)).toBeLessThanOrEqual(196);
    }
  });
});

describe('the section of a page', () => {
  const begin = '<!-- charts: `npm run bench -- --charts` writes what follows -->';

  it('takes the place of what is between the markers, and of nothing else', () => {
    const page = `before\n\n${begin}\n\nold\n\n<!-- end of charts -->\nafter\n`;
    expect(replaceSection(page, 'new\n')).toBe(`before\n\n${begin}\n\nnew\n\n<!-- end of charts -->\nafter\n`);
  });

  it('is not written into a page without markers', () => {
    expect(() => replaceSection('before', 'new')).toThrow('markers');
  });
});
