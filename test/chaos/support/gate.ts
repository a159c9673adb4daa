import { Gate as PlainGate } from '../../e2e/support/gate.js';
import type { Step } from '../../fakes/scripted-upstream.js';

/** A gate that can stand in a script. */
export class Gate extends PlainGate {
  get step(): Step {
    return () => this.opened;
  }
}

/** Waits for a condition that nothing announces. @throws after thirty seconds */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it did not come to pass that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
