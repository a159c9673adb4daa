import type { OciError } from '../../oci/error.js';
import type { PageView } from '../page.js';

export const signInView: PageView = {
  title: 'Sign in',
  status: 401,
  content: <p>Sign in to see this page.</p>,
};

const titles: Readonly<Record<number, string>> = {
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible',
  503: 'Not available at the moment',
};

/** What cannot be shown, and why. */
export function errorView({ status, message }: OciError, requestId: string): PageView {
  return {
    title: titles[status] ?? (status < 500 ? 'That did not work' : 'Something failed'),
    status,
    content: (
      <>
        <p>{status === 404 ? 'There is no such page, or it is not for you to see.' : `${message}.`}</p>
        <p class="note">
          Request <code>{requestId}</code>
        </p>
      </>
    ),
  };
}
