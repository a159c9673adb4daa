import type { Operator } from '../../../admin/acting/operator.js';
import type { OperatorActions } from '../../../admin/acting/operator.actions.js';
import type { ImageReference } from '../../../oci/image-reference.js';
import { Digest } from '../../../oci/digest.js';
import type { Explanation } from '../../../registry/explaining/explanation.js';
import type { Visitor } from '../../visitor.js';

/** What can be done about one tag or manifest. */
export interface ImageAction {
  readonly verb: string;
  readonly name: string;
  /** What it does, for whoever has to confirm it. */
  readonly effect: string;
  readonly isDangerous: boolean;
  readonly right: 'admin' | 'delete';
  readonly isFor: (image: ImageReference, kind: Explanation['kind']) => boolean;
  /** @returns what came of it, as a sentence. @throws OciError */
  readonly run: (actions: OperatorActions, operator: Operator, image: ImageReference) => Promise<string>;
}

export const imageActions: readonly ImageAction[] = [
  {
    verb: 'refresh',
    name: 'Refresh now',
    effect: 'The registry is asked what the tag names now, however fresh its record is.',
    isDangerous: false,
    right: 'admin',
    isFor: ({ reference }, kind) => kind === 'mirrored' && !(reference instanceof Digest),
    run: async (actions, operator, image) => {
      const { digest, before } = await actions.refresh(operator, image);
      if (before?.equals(digest) === true) return `The tag still names ${digest.toString()}.`;
      return `The tag names ${digest.toString()} now${before ? `; it named ${before.toString()}` : ''}.`;
    },
  },
  {
    verb: 'evict',
    name: 'Evict',
    effect:
      'The record is removed, of a tag with that of its manifest. The next pull asks the registry again; a sweep frees the space of content that nothing else names.',
    isDangerous: true,
    right: 'admin',
    isFor: (_, kind) => kind === 'mirrored',
    run: async (actions, operator, image) => {
      await actions.evict(operator, image);
      return 'It is evicted: the next pull asks the registry.';
    },
  },
  {
    verb: 'delete',
    name: 'Delete',
    effect:
      'It is deleted at once for every client, a manifest with all of its tags, and cannot be fetched from anywhere again. Garbage collection frees its space later.',
    isDangerous: true,
    right: 'delete',
    isFor: (_, kind) => kind === 'hosted',
    run: async (actions, operator, image) => {
      await actions.delete(operator, image);
      return 'It is deleted.';
    },
  },
];

/** Those that a visitor may do. */
export function actionsFor(visitor: Visitor, image: ImageReference, kind: Explanation['kind']): readonly ImageAction[] {
  return imageActions.filter((each) => each.isFor(image, kind) && visitor.may(each.right, image.repository));
}
