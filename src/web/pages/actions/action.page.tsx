import { OciError } from '../../../oci/error.js';
import type { PageContext } from '../../page.context.js';
import type { PageFactory, PageResult } from '../../page.js';
import { ActionServices } from './action.context.js';
import { doImageAction, showImageAction } from './image.action.page.js';
import { imageActions } from './image.actions.js';
import { doGarbage, showGarbage, showJob, showSweep, submitSweep } from './server.actions.js';
import { doWarm, showWarm } from './warm.action.js';

type Show = (services: ActionServices, context: PageContext) => PageResult;
type Do = (services: ActionServices, context: PageContext, form: URLSearchParams) => PageResult;

/** What is about the whole server: for who administers all of it. */
const serverActions: ReadonlyMap<string, { readonly show: Show; readonly submit?: Do }> = new Map([
  ['warm', { show: showWarm, submit: doWarm }],
  ['sweep', { show: showSweep, submit: submitSweep }],
  ['gc', { show: showGarbage, submit: doGarbage }],
  ['job', { show: showJob }],
]);

/** Asks for a confirmation, does it, and shows what came of it. */
export const actionPage: PageFactory = (app) => {
  const services = new ActionServices(app);
  return {
    show(context) {
      const { verb = '' } = context.params;
      const ofImage = imageActions.find((each) => each.verb === verb);
      if (ofImage) return showImageAction(services, ofImage, context);
      const action = serverActions.get(verb);
      if (!action || !context.visitor.isAdministrator) throw new OciError('NOT_FOUND');
      return action.show(services, context);
    },
    submit(context, form) {
      const { verb = '' } = context.params;
      const ofImage = imageActions.find((each) => each.verb === verb);
      if (ofImage) return doImageAction(services, ofImage, context, form);
      const submit = serverActions.get(verb)?.submit;
      if (!submit) throw new OciError('NOT_FOUND');
      return submit(services, context, form);
    },
  };
};
