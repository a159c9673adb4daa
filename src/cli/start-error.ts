/** The environment prevents the program from starting. The message is one line for the user. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}
