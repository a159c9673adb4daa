/** Why something is not moved; the message is one line for the user. */
export class MoveError extends Error {
  override readonly name = 'MoveError';
}

/** The registry refused it, for a reason that trying again does not change. */
export class RefusedMove extends MoveError {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The reason in an error of any kind. */
export function reasonOf(error: unknown): string {
  if (error instanceof MoveError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined || message.startsWith(`${code}:`) ? message : `${code}: ${message}`;
}
