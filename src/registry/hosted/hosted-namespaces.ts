import { Inject, Injectable } from '@nestjs/common';
import { hostedSettings } from '../../config/config.module.js';
import type { HostedSettings } from '../../config/hosted/hosted.settings.js';
import { Namespace } from '../../oci/namespace.js';

/** The namespaces that content is pushed to. A namespace is hosted or mirrored, never both. */
@Injectable()
export class HostedNamespaces {
  private readonly settings: ReadonlyMap<string, HostedSettings>;

  constructor(@Inject(hostedSettings) settings: readonly HostedSettings[]) {
    this.settings = new Map(settings.map((entry) => [Namespace.parse(entry.namespace).toString(), entry]));
  }

  /** Canonical names, in the order of the configuration. */
  get names(): readonly string[] {
    return [...this.settings.keys()];
  }

  has(namespace: Namespace): boolean {
    return this.settings.has(namespace.toString());
  }

  /** @throws Error for a namespace that is not hosted */
  settingsOf(namespace: Namespace): HostedSettings {
    const settings = this.settings.get(namespace.toString());
    if (!settings) throw new Error(`${namespace.toString()} is not hosted`);
    return settings;
  }
}
