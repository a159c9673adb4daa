import { Injectable } from '@nestjs/common';
import { Waiters } from '../../config/memory/waiters.js';
import { ServerSettings } from '../../config/server.settings.js';
import { OciError } from '../../oci/error.js';

/** Part of the slots that one client address may use. */
const addressShare = 1 / 2;
/** Milliseconds to wait for a slot, and requests that may wait. */
const patience = 10_000;
const maxWaiting = 1_024;

/** Bounds the bodies that are received at the same time. Those beyond wait in turn by client address. */
@Injectable()
export class UploadSlots {
  private readonly waiters = new Waiters(maxWaiting);
  private readonly heldBy = new Map<string, number>();
  private total = 0;

  constructor(private readonly settings: ServerSettings) {}

  /** Bodies that are being received. */
  get count(): number {
    return this.total;
  }

  /** @returns a function that gives the slot back. @throws OciError when there was none in time */
  async enter(address: string): Promise<() => void> {
    const isFree = this.waiters.count === 0 && this.take(address);
    if (!isFree && !(await this.waiters.wait({ owner: address, bytes: 1 }, patience))) {
      // Podman and regctl retry 429 alone; Docker retries it too unless its code is TOOMANYREQUESTS.
      throw new OciError('UNAVAILABLE', 'too many uploads are in progress', { status: 429, retryAfter: 5 });
    }
    let isHeld = true;
    return () => {
      if (isHeld) this.leave(address);
      isHeld = false;
    };
  }

  private take(address: string): boolean {
    const { maxUploads } = this.settings;
    const held = this.heldBy.get(address) ?? 0;
    if (this.total >= maxUploads || held >= Math.ceil(maxUploads * addressShare)) return false;
    this.total += 1;
    this.heldBy.set(address, held + 1);
    return true;
  }

  private leave(address: string): void {
    this.total -= 1;
    const held = (this.heldBy.get(address) ?? 1) - 1;
    if (held === 0) this.heldBy.delete(address);
    else this.heldBy.set(address, held);
    this.waiters.admit(({ owner }) => this.take(owner));
  }
}
