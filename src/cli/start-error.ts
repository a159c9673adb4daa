/** The surroundings do not let the program start; the message is one line for the person who tried. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
