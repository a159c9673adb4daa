/** A request's position in a distributed trace (W3C Trace Context). */
export interface TraceContext {
  /** Valid, and in version 00. */
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

/** Version, trace id, parent id, flags; later versions may append fields after another dash (§3.2). */
const parentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Simple and multi-tenant keys, and values (§3.3.2). */
const memberForm =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const maxMembers = 32;
/** Characters that every participant must propagate (§3.3.1.5). */
const maxState = 512;

/** @returns undefined unless the parent is well-formed; a malformed state is dropped. Invalid headers are not errors. */
export function parseTraceContext(parent: string | undefined, state: string | undefined): TraceContext | undefined {
  if (parent === undefined || parent.length > maxState) return undefined;
  const [, version, traceId, parentId, flags, more] = parentForm.exec(parent) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (traceId === '0'.repeat(32) || parentId === '0'.repeat(16)) return undefined;
  return { traceparent: `00-${traceId}-${parentId}-${flags}`, tracestate: parseState(state) };
}

function parseState(text: string | undefined): string | undefined {
  if (text === undefined || text.length > maxState) return undefined;
  const members = text
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.split('=', 1)[0]));
  const isValid = members.every((member) => memberForm.test(member)) && keys.size === members.length;
  return isValid && members.length > 0 && members.length <= maxMembers ? members.join(',') : undefined;
}
