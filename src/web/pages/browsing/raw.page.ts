import { OciError } from '../../../oci/error.js';
import { BrowsingService } from '../../../registry/browsing/browsing.service.js';
import type { PageFactory } from '../../page.js';
import { referenceOf, repositoryOf, viewerOf } from './browsing.request.js';

/** A manifest byte by byte. It is sent as plain text, whatever it says that it is. */
export const rawPage: PageFactory = (app) => {
  const browsing = app.get(BrowsingService);
  return {
    async show(context) {
      const viewer = viewerOf(context.visitor);
      const manifest = await browsing.rawManifest(viewer, repositoryOf(context), referenceOf(context));
      if (!manifest) throw new OciError('NOT_FOUND');
      return { type: 'text/plain; charset=utf-8', body: manifest.body };
    },
  };
};
