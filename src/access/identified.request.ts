import type { SignedIn } from './sign-in.js';

/** A request whose sender is known. */
interface IdentifiedRequest {
  signedIn?: SignedIn | undefined;
}

/** The name of the field under which a request has its sender. */
export const signedInField = 'signedIn' satisfies keyof IdentifiedRequest;

/** Notes who sent a request. */
export function identify(request: object, signedIn: SignedIn): void {
  (request as IdentifiedRequest).signedIn = signedIn;
}

/** Who sent a request; undefined without an access file, and where nobody has asked. */
export function signedInOf(request: object): SignedIn | undefined {
  return (request as IdentifiedRequest).signedIn;
}
