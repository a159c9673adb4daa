import type { JsonEntries } from '../json/json.entries.js';
import { findObject, readJson, type JsonShape } from '../json/json.js';
import { isObject } from '../manifest.js';
import { entriesIn, listOf, maxShownBytes, sound, textOf } from './shown-manifest.js';

/** Most steps of a history, and entries of any other list, that are read. */
const maxSteps = 300;
const maxItems = 100;

const texts: JsonShape = { items: 'value', max: maxItems };
const shape: JsonShape = {
  fields: {
    created: 'value',
    author: 'value',
    os: 'value',
    architecture: 'value',
    variant: 'value',
    config: {
      fields: {
        User: 'value',
        WorkingDir: 'value',
        StopSignal: 'value',
        Entrypoint: texts,
        Cmd: texts,
        Env: texts,
        Shell: texts,
      },
    },
    history: {
      items: { fields: { created: 'value', created_by: 'value', comment: 'value', empty_layer: 'value' } },
      max: maxSteps,
    },
  },
};

/** A step of the build, as its history tells it. */
export interface HistoryStep {
  readonly command: string | undefined;
  readonly comment: string | undefined;
  /** As it is written. */
  readonly created: string | undefined;
  /** Whether it made no layer. */
  readonly isEmpty: boolean;
}

/** The configuration of an image, as far as a page shows it. Texts are cut. */
export interface ShownConfig {
  readonly created: string | undefined;
  readonly author: string | undefined;
  /** `linux/arm64/v8`. */
  readonly platform: string | undefined;
  readonly user: string | undefined;
  readonly workingDirectory: string | undefined;
  readonly stopSignal: string | undefined;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: JsonEntries;
  readonly history: readonly HistoryStep[];
}

/** Undefined for what is too large, or no configuration of an image. */
export function readImageConfig(bytes: Uint8Array): ShownConfig | undefined {
  if (bytes.length > maxShownBytes) return undefined;
  return sound(() => {
    const document = readJson(bytes, shape);
    if (!isObject(document)) return undefined;
    const config = isObject(document.config) ? document.config : {};
    const part = findObject(bytes, 'config') ?? Buffer.from('{}');
    const platform = [document.os, document.architecture, document.variant].flatMap((each) => textOf(each) ?? []);
    return {
      created: textOf(document.created),
      author: textOf(document.author),
      platform: platform.length < 2 ? undefined : platform.join('/'),
      user: textOf(config.User),
      workingDirectory: textOf(config.WorkingDir),
      stopSignal: textOf(config.StopSignal),
      entrypoint: textsOf(config.Entrypoint),
      command: textsOf(config.Cmd),
      environment: textsOf(config.Env),
      ports: entriesIn(part, 'ExposedPorts').entries.map(({ name }) => name),
      volumes: entriesIn(part, 'Volumes').entries.map(({ name }) => name),
      labels: entriesIn(part, 'Labels'),
      history: listOf(document.history).flatMap(stepOf),
    };
  });
}

/** Metadata of a Helm chart: its Chart.yaml as JSON. */
export interface ShownChart {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly appVersion: string | undefined;
  readonly description: string | undefined;
  readonly kubeVersion: string | undefined;
  readonly home: string | undefined;
  readonly isDeprecated: boolean;
  readonly dependencies: readonly string[];
}

const chartShape: JsonShape = {
  fields: {
    name: 'value',
    version: 'value',
    appVersion: 'value',
    description: 'value',
    kubeVersion: 'value',
    home: 'value',
    deprecated: 'value',
    dependencies: { items: { fields: { name: 'value', version: 'value', repository: 'value' } }, max: maxItems },
  },
};

/** Undefined for what is too large, or no chart. */
export function readChart(bytes: Uint8Array): ShownChart | undefined {
  if (bytes.length > maxShownBytes) return undefined;
  return sound(() => {
    const chart = readJson(bytes, chartShape);
    if (!isObject(chart)) return undefined;
    return {
      name: textOf(chart.name),
      version: textOf(chart.version),
      appVersion: textOf(chart.appVersion),
      description: textOf(chart.description),
      kubeVersion: textOf(chart.kubeVersion),
      home: textOf(chart.home),
      isDeprecated: chart.deprecated === true,
      dependencies: listOf(chart.dependencies).flatMap((each) =>
        isObject(each)
          ? [[each.name, each.version, each.repository].flatMap((text) => textOf(text) ?? []).join(' ')]
          : [],
      ),
    };
  });
}

function stepOf(value: unknown): HistoryStep[] {
  if (!isObject(value)) return [];
  const { created_by: command, comment, created, empty_layer: isEmpty } = value;
  return [{ command: textOf(command), comment: textOf(comment), created: textOf(created), isEmpty: isEmpty === true }];
}

function textsOf(value: unknown): string[] {
  return listOf(value).flatMap((text) => textOf(text) ?? []);
}
