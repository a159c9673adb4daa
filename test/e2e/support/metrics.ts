import { request } from '../../fakes/request.js';

/** One scrape, read as Prometheus would. */
export class Scrape {
  private constructor(
    readonly text: string,
    private readonly samples: ReadonlyMap<string, number>,
  ) {}

  /** @param url of the mirror. */
  static async of(url: string): Promise<Scrape> {
    const { status, body } = await request(`${url}/metrics`);
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    return Scrape.parse(body.toString());
  }

  static parse(text: string): Scrape {
    const samples = new Map<string, number>();
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      const [, series, value] = /^([a-zA-Z_][a-zA-Z0-9_]*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series === undefined) throw new Error(`this is no sample: ${line}`);
      if (samples.has(series)) throw new Error(`${series} is there twice`);
      samples.set(series, Number(value));
    }
    return new Scrape(text, samples);
  }

  /** @param series as `name{label="value"}`, labels in the order of the documentation. */
  get(series: string): number | undefined {
    return this.samples.get(series);
  }

  get series(): string[] {
    return [...this.samples.keys()];
  }

  /** Type, help and label names of each metric, by name. */
  get metrics(): Map<string, { type: string; help: string }> {
    const helps = new Map([...this.text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name!, help!]));
    return new Map(
      [...this.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [
        name!,
        { type: type!, help: helps.get(name!) ?? '' },
      ]),
    );
  }
}
