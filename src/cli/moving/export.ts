import type { RegistryClientSettings } from '../../config/registry-client.settings.js';
import type { Platform } from '../../oci/platform.js';
import { isBroken, type BrokenRoot, type Root } from './content.js';
import { Copier } from './copier.js';
import { parseImageName } from './image-name.js';
import { interruptible } from './interruption.js';
import { LayoutTarget } from './layouts/layout.target.js';
import { openWriter } from './layouts/writers.js';
import { MoveError } from './move-error.js';
import { MoveReport } from './move.report.js';
import { StartError } from '../start-error.js';
import { authorizationFor } from './registries/credentials.js';
import { Connection } from './registries/connection.js';
import { RegistrySource } from './registries/registry.source.js';
import { eachOf } from './each-of.js';

/** Images that are moved at the same time. */
const concurrentImages = 3;

export interface ExportOptions {
  readonly image: string;
  readonly destination: string;
  readonly tags: readonly string[];
  readonly platforms: readonly Platform[];
}

/** Writes all or nothing. @returns 0 when it is written, otherwise 1. @throws StartError */
export function exportImages(settings: RegistryClientSettings, options: ExportOptions): Promise<number> {
  const image = parseImageName(options.image);
  return interruptible(async (signal) => {
    const connection = new Connection(settings.server, authorizationFor(settings), signal);
    const report = new MoveReport(settings.json);
    try {
      await connection.check();
      const source = new RegistrySource(connection, image, options.tags);
      await write(source, options, report, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StartError) throw error;
      report.fail(options.image, error);
    } finally {
      report.end();
      connection.close();
    }
    return report.isWhole ? 0 : 1;
  });
}

async function write(
  source: RegistrySource,
  { destination, platforms }: ExportOptions,
  report: MoveReport,
  signal: AbortSignal,
): Promise<void> {
  const writer = await openWriter(destination);
  try {
    const target = new LayoutTarget(writer, source.mountFrom);
    const copier = new Copier(source, target, { platforms, report, signal });
    const take = async (root: Root | BrokenRoot) => {
      if (isBroken(root)) report.fail(`${source.mountFrom}:${root.tag}`, new MoveError(root.reason));
      else await copier.copy(root);
    };
    await eachOf(source.roots(), concurrentImages, take);
    if (report.count === 0) throw new MoveError('the repository has no tag that was asked for');
    if (report.isWhole) {
      await target.finish();
      await writer.finish();
    } else {
      await writer.discard();
      report.note('nothing is written: an export has all of its images, or none');
    }
  } catch (error) {
    await writer.discard();
    throw error;
  }
}
