import { Param, type PipeTransform } from '@nestjs/common';
import { Digest } from '../oci/digest.js';
import { Namespace } from '../oci/namespace.js';
import { parseReference, type Reference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';

class RepositoryPipe implements PipeTransform<string, RepositoryRef> {
  /** @param folded `<namespace>/<name>`: the request's target is folded before routes are looked for. */
  transform(folded: string): RepositoryRef {
    const slash = folded.indexOf('/');
    return RepositoryRef.of(Namespace.parse(folded.slice(0, slash)), folded.slice(slash + 1));
  }
}

class DigestPipe implements PipeTransform<string, Digest> {
  transform(text: string): Digest {
    return Digest.parse(text);
  }
}

class ReferencePipe implements PipeTransform<string, Reference> {
  transform(text: string): Reference {
    return parseReference(text);
  }
}

export const Repository = () => Param('repository', new RepositoryPipe());
export const DigestOf = () => Param('digest', new DigestPipe());
export const ReferenceOf = () => Param('reference', new ReferencePipe());
