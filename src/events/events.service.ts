import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Clock } from '../config/clock/clock.js';
import { storageSettings, webhookSettings } from '../config/config.module.js';
import { ServerSettings } from '../config/server.settings.js';
import type { StorageSettings } from '../config/storage.settings.js';
import { parseListenAddress } from '../config/values/listen-address.js';
import type { EventAction, WebhookSettings } from '../config/webhooks/webhook.settings.js';
import type { RepositoryRef } from '../oci/repository.js';
import type { EventSource, Occurrence, RegistryEvent } from './event.js';
import { ProcessFolders } from './queue/process.folders.js';
import { queueFolder } from './queue/queue.folder.js';
import { Webhook } from './webhook.js';
import type { WebhookStatistics } from './webhook.counts.js';

/** Milliseconds that a request may wait until its event is on the disk. */
const patience = 1_000;
/** Milliseconds after which events of a webhook that is no longer configured are removed. */
const forgotten = 7 * 86_400_000;

/** Tells webhooks what happens. Without a webhooks file it does nothing. */
@Injectable()
export class EventsService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Webhooks');
  private webhooks: ReadonlyMap<string, Webhook>;
  private readonly folders: ProcessFolders;
  private readonly source: EventSource;
  private isOpen = false;
  private complaint: string | undefined;

  constructor(
    @Inject(webhookSettings) settings: readonly WebhookSettings[] | undefined,
    @Inject(storageSettings) storage: StorageSettings,
    server: ServerSettings,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    this.folders = new ProcessFolders(queueFolder(server, storage), {
      monotonic: () => clock.monotonic(),
      onAdopt: (folder) => this.adopt(folder),
      onFailure: (error) => this.complain(reasonOf(error)),
    });
    this.webhooks = new Map((settings ?? []).map((webhook) => [webhook.name, this.open(webhook)]));
    this.source = { addr: addressOf(server), instanceID: randomUUID() };
  }

  get isEnabled(): boolean {
    return this.webhooks.size > 0;
  }

  get statistics(): readonly WebhookStatistics[] {
    return [...this.webhooks.values()].map(({ statistics }) => statistics);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.isEnabled) await this.openFolders();
  }

  /**
   * Follows the webhooks file. What waits for a webhook goes to its new URL; what waits for one that is removed is kept for
   * a week, in case that it comes back. Never rejects.
   */
  async replace(settings: readonly WebhookSettings[]): Promise<void> {
    const before = this.webhooks;
    if (settings.length > 0) await this.openFolders();
    const next = settings.map((entry) => before.get(entry.name) ?? this.open(entry));
    for (const webhook of next)
      if (!before.has(webhook.name)) for (const folder of this.folders.all) await webhook.load(folder);
    for (const entry of settings) before.get(entry.name)?.change(entry);
    this.webhooks = new Map(next.map((webhook) => [webhook.name, webhook]));
    const removed = [...before.values()].filter((webhook) => !this.webhooks.has(webhook.name));
    await Promise.all(removed.map((webhook) => webhook.stop()));
  }

  private open(settings: WebhookSettings): Webhook {
    return new Webhook(settings, () => this.folders.current, this.clock);
  }

  private async openFolders(): Promise<void> {
    if (this.isOpen) return;
    this.isOpen = true;
    await this.folders.open();
  }

  async onApplicationShutdown(): Promise<void> {
    if (!this.isOpen) return;
    await Promise.all([...this.webhooks.values()].map((webhook) => webhook.stop()));
    await this.folders.release();
  }

  /** Whether any webhook wants to know. */
  wants(action: EventAction, repository: RepositoryRef): boolean {
    return this.isEnabled && [...this.webhooks.values()].some((webhook) => webhook.wants(action, repository));
  }

  /**
   * Queues an event for each webhook that wants it. Resolves when it is on the disk, was dropped, or after a second; never
   * rejects: nothing that has happened fails because of its event.
   */
  async emit({ action, repository, target, request, actor }: Occurrence): Promise<void> {
    const interested = [...this.webhooks.values()].filter((webhook) => webhook.wants(action, repository));
    if (interested.length === 0) return;
    const event: RegistryEvent = {
      id: randomUUID(),
      timestamp: new Date(this.clock.now()).toISOString(),
      action,
      repository: repository.toString(),
      target,
      ...(request && { request }),
      ...(actor !== undefined && { actor }),
      source: this.source,
    };
    const text = JSON.stringify(event);
    await withinPatience(Promise.all(interested.map((webhook) => webhook.add(event, text))));
  }

  /** Once for each reason: it is tried again every few seconds. */
  private complain(reason: string): void {
    if (reason !== this.complaint) this.logger.warn(`events cannot be kept in ${this.folders.root}: ${reason}`);
    this.complaint = reason;
  }

  /** Sends what another process has left. Another configuration may know the webhooks that this one does not. */
  private async adopt(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      const webhook = this.webhooks.get(name);
      const path = join(folder, name);
      if (webhook) await webhook.load(folder);
      else if ((await lstat(path)).mtimeMs < Date.now() - forgotten) await rm(path, { recursive: true });
    }
  }
}

function addressOf({ listen }: ServerSettings): string {
  const address = parseListenAddress(listen);
  const port = address && 'port' in address ? address.port : 0;
  return port === 0 ? hostname() : `${hostname()}:${port}`;
}

async function withinPatience(queued: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, patience)));
  await Promise.race([queued, late]).finally(() => clearTimeout(timer));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
