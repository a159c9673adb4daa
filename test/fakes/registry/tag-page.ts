import { type HttpResponse, errorResponse, jsonResponse } from './response.js';
import type { TagsBehaviour } from './behaviour.js';

/** One page of tags (`end-8a`, `end-8b`) with the Link to the next. */
export function tagsResponse(name: string, all: readonly string[], url: URL, behaviour: TagsBehaviour): HttpResponse {
  const asked = url.searchParams.get('n');
  if (asked !== null && !/^\d+$/.test(asked)) return errorResponse(400, 'PAGINATION_NUMBER_INVALID');
  if (asked !== null && Number(asked) > (behaviour.refuseAbove ?? Infinity))
    return errorResponse(behaviour.refusal, 'UNSUPPORTED');
  const isAll = asked === null || (behaviour.zeroIsAll && asked === '0');
  const size = Math.min(isAll ? Infinity : Number(asked), behaviour.pageSize ?? Infinity);
  const last = url.searchParams.get('last') ?? '';
  const rest = all.filter((tag) => tag > last);
  const tags = rest.slice(0, size);
  const final = tags.at(-1);
  if (final === undefined || tags.length === rest.length) return jsonResponse(200, { name, tags });
  const next = `${url.pathname}?last=${encodeURIComponent(final)}&n=${size}`;
  const target = behaviour.links === 'absolute' ? `${url.origin}${next}` : next;
  return jsonResponse(200, { name, tags }, { link: `<${target}>; rel="next"` });
}
