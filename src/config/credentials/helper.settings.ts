/** `helper`: a docker-credential-* program. */
export class HelperSettings {}
