import { Param } from '@nestjs/common';
import { Digest } from '../oci/digest.js';
import { parseReference } from '../oci/reference.js';
import { RepositoryRef } from '../oci/repository.js';

/** The server has put the repository into one segment. */
export const Repository = () => Param('repository', { transform: (text: string) => RepositoryRef.parse(text) });
export const DigestOf = () => Param('digest', { transform: (text: string) => Digest.parse(text) });
export const ReferenceOf = () => Param('reference', { transform: (text: string) => parseReference(text) });
